import { isMembers } from "../../lib/index.js";

/** The schemas within a JSON Schema. A member of `properties` is a schema whatever its name is. */

export type Schema = Readonly<Record<string, unknown>>;

/** Members whose values are schemas, lists of schemas, and schemas by a name. */
const SCHEMA = new Set([
  "additionalItems",
  "additionalProperties",
  "contains",
  "else",
  "items",
  "propertyNames",
  "then",
  "unevaluatedItems",
  "unevaluatedProperties",
]);
const SCHEMAS = new Set(["allOf", "anyOf", "items", "oneOf", "prefixItems"]);
const NAMED_SCHEMAS = new Set([
  "$defs",
  "definitions",
  "dependentSchemas",
  "patternProperties",
  "properties",
]);

/** The value of a member of a schema, with its schemas changed. */
export function mapSchemas(
  name: string,
  value: unknown,
  change: (schema: Schema) => Schema,
): unknown {
  const changed = (each: unknown): unknown => (isMembers(each) ? change(each) : each);
  if (SCHEMAS.has(name) && Array.isArray(value)) return value.map(changed);
  if (!isMembers(value)) return value;
  if (SCHEMA.has(name)) return change(value);
  if (!NAMED_SCHEMAS.has(name)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, changed(each)]));
}

/** The schemas in the value of a member of a schema. */
export function schemasIn(name: string, value: unknown): readonly Schema[] {
  const found: Schema[] = [];
  mapSchemas(name, value, (schema) => {
    found.push(schema);
    return schema;
  });
  return found;
}
