import { FoundryError, formatDuration, LONGEST_CHECK_MS, withinTime } from "../../lib/index.js";
import type { Extracted } from "./extract.js";
import type { JsonSchema } from "./json-schema.js";

/**
 * Reads the value out of the text of an answer.
 *
 * @param isWhole `false`: the answer was cut off, so that its end is not known.
 * @throws FoundryError `SCHEMA_MISMATCH` where the check takes too long; `INVALID_ARGUMENT` where the
 *   schema turns out to be none.
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
  return (text, isWhole) => {
    const found = withinTime(LONGEST_CHECK_MS, () => extracted(text, check, isWhole));
    if (found === null) throw tooSlow();
    return found.value;
  };
}

const tooSlow = (): FoundryError =>
  new FoundryError(
    "SCHEMA_MISMATCH",
    `The answer could not be checked by the schema within ${formatDuration(LONGEST_CHECK_MS)}.`,
    {
      action:
        'Simplify each "pattern" of the schema that repeats a repetition, such as "(a+)+", and leave out "uniqueItems".',
    },
  );
