import type { CompletionRequest } from "../../foundry/index.js";
import { onAbort, throwIfAborted } from "../../lib/index.js";
import type { BatchResult } from "./batch.js";
import type { Batches } from "./batches.js";

export interface CompleteBatchOptions {
  /** How many at once, 1 or more; never more than the queue in front of the model lets through. */
  readonly concurrency?: number | undefined;
  /** Aborting it stops what has not ended, and ends the loop with `CANCELLED` or `TIMEOUT`. */
  readonly signal?: AbortSignal | undefined;
}

/** The results of a batch in the order in which they come. Leaving the loop stops the rest. */
export async function* batchResults(
  batches: Batches,
  requests: readonly CompletionRequest[],
  { concurrency, signal }: CompleteBatchOptions,
): AsyncGenerator<BatchResult, void> {
  throwIfAborted(signal);
  const come: BatchResult[] = [];
  let wake = () => {};
  const onResult = (result: BatchResult): void => {
    come.push(result);
    wake();
  };
  const batch = batches.start(requests, { concurrency, onResult });
  const stopListening = signal === undefined ? () => {} : onAbort(signal, () => wake());
  try {
    for (let handed = 0; handed < batch.size; ) {
      throwIfAborted(signal);
      const result = come.shift();
      if (result !== undefined) {
        handed += 1;
        yield result;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    stopListening();
    if (!batch.hasEnded) await batch.cancel();
    batches.forget(batch);
  }
}
