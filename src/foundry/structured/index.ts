export {
  assertJsonSchema,
  isTyped,
  type JsonSchema,
  jsonSchemaOf,
  parsedBy,
  type StandardSchema,
  type TypedBy,
  type Validated,
} from "./json-schema.js";
export {
  loadCheck,
  loadReader,
  loadRepair,
  roundedNotes,
  type ValueReader,
} from "./reader.js";
export type { SchemaCheck } from "./schema.js";
