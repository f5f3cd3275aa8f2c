import { FoundryError, LONGEST_SCHEMA } from "../../lib/index.js";

/** A JSON Schema, 2020-12 or draft-07. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * Refuses what cannot be a schema without loading the validator, so that a call fails before it waits.
 *
 * @throws FoundryError `INVALID_ARGUMENT`
 */
export function assertJsonSchema(schema: JsonSchema): void {
  const length = lengthOf(schema);
  if (length <= LONGEST_SCHEMA) return;
  throw invalidSchema(`it has ${length} characters, and at most ${LONGEST_SCHEMA} are taken`);
}

function lengthOf(schema: JsonSchema): number {
  try {
    return JSON.stringify(schema).length;
  } catch {
    throw invalidSchema("it cannot be written as JSON, such as an object that contains itself");
  }
}

export function invalidSchema(reason: string): FoundryError {
  return new FoundryError("INVALID_ARGUMENT", `The schema cannot be used: ${reason}.`, {
    action:
      'Give a JSON Schema (2020-12 or draft-07) as an object, such as {"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}, without references to other documents.',
  });
}
