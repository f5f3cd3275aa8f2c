export {
  type AdoptedItem,
  Batch,
  type BatchEntry,
  type BatchRecordItem,
  type BatchResult,
  lengthOf,
} from "./batch.js";
export {
  BATCH_ID,
  BATCH_LIMIT,
  Batches,
  type BatchesOptions,
  type CompleteBatchOptions,
} from "./batches.js";
export { type ClientMetrics, FoundryClient, type TypedRequest } from "./client.js";
export type { FoundryClientOptions } from "./client-options.js";
export type {
  CacheOption,
  Cancelled,
  CompleteOptions,
  CompletionChange,
  CompletionRecord,
  ComposedParts,
  RemoteParts,
  Started,
  StartOptions,
  WaitOptions,
} from "./completion-options.js";
export { type CompletionState, hasEnded, type RunEvent } from "./completion-run.js";
export type { CompletionStream, OpenedCompletion } from "./completion-stream.js";
export { Completions } from "./completions.js";
export { requestKey } from "./ids.js";
export {
  type LoadFacts,
  LoadRun,
  type LoadState,
  type LoadStatus,
  type LoadWish,
} from "./load-job.js";
export { Loads, type LoadWaitOptions } from "./loads.js";
export type { Route, Routes } from "./routes.js";
export { type RunnableTool, type RunRequest, type RunResult, typedTool } from "./run-tools.js";
