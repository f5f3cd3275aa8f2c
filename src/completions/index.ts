export { Batch, type BatchEntry, type BatchResult, lengthOf } from "./batch.js";
export type { CompleteBatchOptions } from "./batch-results.js";
export { BATCH_ID, BATCH_LIMIT, Batches, type BatchesOptions } from "./batches.js";
export { FoundryClient, type FoundryClientOptions } from "./client.js";
export type { RunEvent } from "./completion-run.js";
export { type CompletionState, hasEnded } from "./completion-state.js";
export {
  type Cancelled,
  Completions,
  type Started,
  type StartOptions,
  type WaitOptions,
} from "./completions.js";
export type { LoadFacts, LoadRun, LoadState, LoadStatus, LoadWish } from "./load-run.js";
export { Loads, type LoadWaitOptions } from "./loads.js";
