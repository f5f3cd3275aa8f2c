export { assertJsonSchema, type JsonSchema } from "./json-schema.js";
export {
  loadCheck,
  loadReader,
  loadRepair,
  type ValueCheck,
  type ValueReader,
} from "./reader.js";
export {
  isTyped,
  jsonSchemaOf,
  parsedBy,
  type StandardSchema,
  type TypedBy,
  type Validated,
} from "./standard-schema.js";
