export {
  BATCH_ID,
  BATCH_LIMIT,
  Batch,
  type BatchEntry,
  Batches,
  type BatchesOptions,
  type BatchResult,
  type CompleteBatchOptions,
  lengthOf,
} from "./batches/index.js";
export { FoundryClient, type FoundryClientOptions } from "./client.js";
export type {
  Cancelled,
  CompletionChange,
  Started,
  StartOptions,
  WaitOptions,
} from "./completion-options.js";
export type { RunEvent } from "./completion-run.js";
export { type CompletionState, hasEnded } from "./completion-state.js";
export { Completions } from "./completions.js";
export {
  type LoadFacts,
  LoadRun,
  type LoadState,
  type LoadStatus,
  type LoadWish,
} from "./load-job.js";
export { Loads, type LoadWaitOptions } from "./loads.js";
