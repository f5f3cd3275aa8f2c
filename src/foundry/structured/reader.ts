import type { Extracted } from "./extract.js";
import type { JsonSchema } from "./json-schema.js";

/**
 * Reads the value out of the text of an answer.
 *
 * @param isWhole `false`: the answer was cut off, so that its end is not known.
 */
export type ValueReader = (text: string, isWhole: boolean) => Extracted;

/**
 * The reader of answers to requests with this schema. The validator is loaded with the first one: few
 * calls have a schema, and it is large.
 *
 * @throws FoundryError `INVALID_ARGUMENT` where it is no valid schema.
 */
export async function loadReader(schema: JsonSchema): Promise<ValueReader> {
  const [{ schemaCheck }, { extracted }] = await Promise.all([
    import("./schema.js"),
    import("./extract.js"),
  ]);
  const check = schemaCheck(schema);
  return (text, isWhole) => extracted(text, check, isWhole);
}
