export { assertJsonSchema, type JsonSchema } from "./json-schema.js";
export { loadReader, type ValueReader } from "./reader.js";
export {
  isTyped,
  jsonSchemaOf,
  parsedBy,
  type StandardSchema,
  type TypedBy,
  type Validated,
} from "./standard-schema.js";
