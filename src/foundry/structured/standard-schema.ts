import { FoundryError } from "../../lib/index.js";
import { invalidSchema, type JsonSchema } from "./json-schema.js";

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
  | { readonly issues: readonly { readonly message: string }[] };

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
  try {
    return schema["~standard"].jsonSchema.input({ target: "draft-2020-12" });
  } catch (thrown) {
    throw invalidSchema(thrown instanceof Error ? thrown.message : "it has no JSON Schema");
  }
}

/**
 * The value as the schema gives it, with its own checks and conversions.
 *
 * @throws FoundryError `SCHEMA_MISMATCH`
 */
export async function parsedBy<T>(schema: StandardSchema<T>, value: unknown): Promise<T> {
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return result.value;
  const complaints = result.issues.map(({ message }) => message).join("; ");
  throw new FoundryError("SCHEMA_MISMATCH", `The answer does not fit the schema: ${complaints}.`, {
    action: "Say in the prompt what each field means, or use a larger model.",
    retryable: true,
  });
}
