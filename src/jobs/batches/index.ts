export { Batch, type BatchEntry, type BatchResult, lengthOf } from "./batch.js";
export { batchResults, type CompleteBatchOptions } from "./batch-results.js";
export { BATCH_ID, BATCH_LIMIT, Batches, type BatchesOptions } from "./batches.js";
