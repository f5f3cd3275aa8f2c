/** @internal For the classes above, which check their own options the same way. */
export {
  listener,
  loadWishFields,
  optionsOf,
  signalOption,
  withinMs,
} from "./call-options.js";
/** @internal For `doctor`. */
export type { Diagnosis } from "./client.js";
export {
  type CallOptions,
  FoundryClient,
  type LoadOptions,
  type LoadResult,
  type ModelListResult,
  type StreamOptions,
  type UnloadOptions,
  type UnloadResult,
} from "./client.js";
export type { Admit, Wish } from "./completion/admission.js";
export {
  COMPLETION_STATUSES,
  type Completion,
  type CompletionEvent,
  type CompletionStatus,
  type CompletionTiming,
  type CompletionUsage,
} from "./completion/completion.js";
export type { CompletionRequest } from "./completion/request.js";
/** @internal For the tools; keeps the schema library out of the published types. */
export { completionFields, promptProblem } from "./completion/request-schema.js";
export type { CompletionStream } from "./completion/stream.js";
export { DIALECT_NAMES, type DialectName, type FinishReason } from "./dialects/index.js";
export { FOUND_BY, FOUND_BY_WORDS, type FoundBy, withoutTrials } from "./discovery/index.js";
export type { Health, HealthMemory } from "./health.js";
export type { HealthProblem } from "./health-problems.js";
export type { Device, ModelInfo } from "./models/index.js";
export type { News } from "./news.js";
/** @internal For the client with a queue; keeps the schema library out of the published types. */
export { optionFields, wholeNumber } from "./option-schema.js";
export type { FoundryClientOptions } from "./options.js";
