import { FoundryError, isMembers, LONGEST_SCHEMA } from "../../lib/index.js";

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

/**
 * A schema of any library that describes itself as JSON Schema, such as zod 4.2 and later
 * (standardschema.dev). Only what is used of it.
 */
export interface StandardSchema<T = unknown> {
  readonly "~standard": {
    readonly validate: (value: unknown) => Validated<T> | Promise<Validated<T>>;
    readonly jsonSchema: {
      readonly input: (options: { readonly target: "draft-2020-12" }) => Record<string, unknown>;
    };
  };
}

/** The value, or what is wrong with it. */
export type Validated<T> =
  | { readonly value: T; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string;
        /** To the member that is wrong: keys, or objects with a `key`. */
        readonly path?: readonly unknown[] | undefined;
      }[];
    };

type Issue = NonNullable<Validated<unknown>["issues"]>[number];

/** A request whose schema gives its value a type. */
export interface TypedBy<T> {
  readonly schema: StandardSchema<T>;
}

/** Whether the schema of a request describes itself, and is no plain JSON Schema. Takes any value. */
export function isTyped(request: unknown): request is TypedBy<unknown> {
  if (typeof request !== "object" || request === null || !("schema" in request)) return false;
  const { schema } = request;
  // Those of some libraries are functions.
  const canHave = typeof schema === "object" || typeof schema === "function";
  return canHave && schema !== null && "~standard" in schema;
}

/** @throws FoundryError `INVALID_ARGUMENT` where it has no form in JSON Schema. */
export function jsonSchemaOf(schema: StandardSchema): JsonSchema {
  // Libraries may have the validation of standardschema.dev without it, as zod before 4.2 does.
  const { jsonSchema }: Partial<StandardSchema["~standard"]> = schema["~standard"];
  if (jsonSchema?.input === undefined) throw invalidSchema("it has no JSON Schema");
  try {
    return jsonSchema.input({ target: "draft-2020-12" });
  } catch (thrown) {
    throw invalidSchema(thrown instanceof Error ? thrown.message : "it has no JSON Schema");
  }
}

/**
 * The value as the schema gives it, with its own checks and conversions.
 *
 * @param mismatch What is wrong where it does not fit, in words.
 * @throws FoundryError `SCHEMA_MISMATCH`
 */
export async function parsedBy<T>(
  schema: StandardSchema<T>,
  value: unknown,
  mismatch = "The answer does not fit the schema",
): Promise<T> {
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return result.value;
  const complaints = result.issues.map(complaintOf).join("; ");
  throw new FoundryError("SCHEMA_MISMATCH", `${mismatch}: ${complaints}.`, {
    action: "Say in the prompt what each field means, or use a larger model.",
    retryable: true,
  });
}

function complaintOf({ message, path = [] }: Issue): string {
  const keys = path.map((key) => String(isMembers(key) ? key["key"] : key));
  return keys.length === 0 ? message : `${keys.join(".")}: ${message}`;
}
