export type {
  CallOptions,
  DownloadResult,
  LoadOptions,
  LoadResult,
  ModelListResult,
  StatusUpdate,
  UnloadOptions,
  UnloadResult,
} from "./calls.js";
/** @internal For `documents`. */
export { THOUGHT_ALTHOUGH_OFF } from "./completion/answer.js";
export * from "./completion/completion.js";
/** @internal For `jobs`, which runs it. */
export type { ServiceCompletion } from "./completion/index.js";
/** @internal For `documents`. */
export { IMAGE_TOKENS, likelyTokens, likelyTokensOf } from "./completion/prompt-size.js";
/** @internal For the tools; keeps the schema library out of the published types. */
export { checkPrompt, completionFields } from "./completion/request.js";
export { DIALECT_NAMES, type DialectName, type FinishReason } from "./dialects/index.js";
export { FOUND_BY, FOUND_BY_WORDS, type FoundBy, withoutAttempts } from "./discovery/index.js";
export type {
  EmbedOptions,
  EmbedResult,
  Ranked,
  RankOptions,
  RankResult,
} from "./embedding/embedding.js";
/** @internal For the client of `jobs`, and for `documents`. */
export { cosine, ranked } from "./embedding/embedding.js";
/** @internal For `doctor`. */
export type { Diagnosis } from "./health/health.js";
export type { Health, HealthMemory, HealthProblem } from "./health/index.js";
export {
  AUTO,
  canChat,
  type Device,
  type Family,
  type KnownModel,
  type ModelInfo,
  shortName,
  spelledName,
} from "./models/index.js";
/** @internal For the loads of `jobs`. */
export { modelKey } from "./models/model.js";
/** @internal For `jobs`, whose options are checked the same way; keeps the schema library out of the published types. */
export {
  callOptions,
  checkOptions,
  embedOptions,
  listener,
  loadWishFields,
  modelArgument,
  optionFields,
  queryArgument,
  rankOptions,
  signalOption,
  textsArgument,
  traceOption,
  withinMs,
} from "./option-schema.js";
export type {
  CircuitOptions,
  CircuitState,
  FoundryClientOptions,
  RetryOptions,
} from "./options.js";
/** @internal For the client of `jobs`, which holds one. */
export { ServiceClient, type StreamOptions } from "./service-client.js";
/** @internal For the tools and commands. */
export {
  isSimulatedText,
  readingMs,
  type Speed,
  SpeedMemory,
} from "./speed-memory.js";
export {
  isTyped,
  type JsonSchema,
  jsonSchemaOf,
  parsedBy,
  type StandardSchema,
  type TypedBy,
  type Validated,
} from "./structured/index.js";
export type { ToolCall, ToolChoice, ToolDefinition } from "./tools/tool.js";
