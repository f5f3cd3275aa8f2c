import { z } from "zod";

/**
 * A zod object as JSON Schema, as short as it can be without saying less: hosts put it into the
 * context of their model, where each byte costs.
 */
export function jsonSchemaOf(schema: z.ZodObject): { [key: string]: unknown; type: "object" } {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, {
    // As input, only strict objects say `additionalProperties: false`.
    io: "input",
    override: ({ jsonSchema }) => {
      dropSafeIntegerLimits(jsonSchema);
      joinNullable(jsonSchema);
    },
  });
  return { ...rest, type: "object" };
}

type MutableSchema = z.core.JSONSchema.BaseSchema;

/** What every JSON number is limited to needs no saying. */
function dropSafeIntegerLimits(schema: MutableSchema): void {
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
}

/** `{"anyOf":[{"type":"string"},{"type":"null"}]}` is `{"type":["string","null"]}`. */
function joinNullable(schema: MutableSchema): void {
  const [value, none, ...more] = schema.anyOf ?? [];
  if (typeof value !== "object" || typeof none !== "object" || more.length > 0) return;
  if (none.type !== "null" || typeof value.type !== "string") return;
  delete schema.anyOf;
  const { type, enum: allowed, ...rest } = value;
  Object.assign(schema, rest, { type: [type, "null"] });
  if (allowed !== undefined) schema.enum = [...allowed, null];
}
