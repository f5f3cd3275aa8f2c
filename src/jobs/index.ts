export { type AdoptedItem, type Batch, type BatchResult, lengthOf } from "./batch.js";
export { BATCH_ID, BATCH_LIMIT, Batches, type CompleteBatchOptions } from "./batches.js";
export { type ClientMetrics, FoundryClient, type TypedRequest } from "./client.js";
export type { FoundryClientOptions } from "./client-options.js";
export type {
  BatchEntry,
  CacheOption,
  Cancelled,
  CompleteOptions,
  CompletionChange,
  ComposedParts,
  Started,
  StartOptions,
} from "./completion-options.js";
export {
  type CompletionState,
  hasEnded,
  type OpenParts,
  type RunEvent,
  type WaitOptions,
} from "./completion-run.js";
export type { CompletionStream, OpenedCompletion } from "./completion-stream.js";
export { Completions } from "./completions.js";
export { requestKey } from "./ids.js";
export type {
  LoadFacts,
  LoadRun,
  LoadState,
  LoadStatus,
  LoadWaitOptions,
  LoadWish,
} from "./load-job.js";
export { Loads, loadKey } from "./loads.js";
export type { Route, Routes } from "./routes.js";
export { type RunnableTool, type RunRequest, type RunResult, typedTool } from "./run-tools.js";
