import * as z from "zod";
import {
  type CompletionRequest,
  checkOptions,
  optionsOf,
  signalOption,
  traceOption,
} from "../foundry/index.js";
import { joinedSignal, onAbort, parseArguments, type Trace, throwIfAborted } from "../lib/index.js";
import type { BatchResult } from "./batch.js";
import { BATCH_LIMIT, type Batches } from "./batches.js";

export interface CompleteBatchOptions {
  /** How many items at once, 1 or more; the queue of the model may allow fewer. */
  readonly concurrency?: number | undefined;
  /** Aborting it stops what has not ended, and ends the loop with `CANCELLED` or `TIMEOUT`. */
  readonly signal?: AbortSignal | undefined;
  /** As in the options of a call, for each of its completions. */
  readonly trace?: Trace | undefined;
}

const CONCURRENCY = "a whole number, 1 or more";
const batchOptions = optionsOf({
  ...signalOption,
  ...traceOption,
  concurrency: z.int(CONCURRENCY).min(1, CONCURRENCY).optional(),
});

/** Checked before the batch begins. Each request is checked by itself. */
const batchArguments = z.object({
  requests: z
    .array(z.unknown(), "a list of requests")
    .min(1, `1 to ${BATCH_LIMIT} requests`)
    .max(BATCH_LIMIT, `1 to ${BATCH_LIMIT} requests`),
});

/**
 * The results of a batch in the order of their ends. Leaving the loop stops the others.
 *
 * @throws FoundryError `INVALID_ARGUMENT`, before the batch begins.
 */
export function batchResults(
  batches: Batches,
  requests: readonly CompletionRequest[],
  options: CompleteBatchOptions,
): AsyncGenerator<BatchResult, void> {
  checkOptions(batchOptions, options);
  parseArguments(batchArguments, { requests });
  const leaving = new AbortController();
  const results = resultsOf(batches, requests, options, leaving.signal);
  // That of a generator waits for the result that is waited for.
  const end = results.return.bind(results);
  results.return = (value) => {
    leaving.abort();
    return end(value);
  };
  return results;
}

/** @param leaving Aborted when the reader leaves the loop. */
async function* resultsOf(
  batches: Batches,
  requests: readonly CompletionRequest[],
  { concurrency, signal, trace }: CompleteBatchOptions,
  leaving: AbortSignal,
): AsyncGenerator<BatchResult, void> {
  throwIfAborted(signal);
  const come: BatchResult[] = [];
  let wake = () => {};
  const onResult = (result: BatchResult): void => {
    come.push(result);
    wake();
  };
  const batch = batches.start(requests, { concurrency, onResult, trace });
  // At once, though the reader may be busy with a result.
  const stop = (): void => {
    batch.cancel().catch(() => {});
    wake();
  };
  const ending = joinedSignal(signal, leaving);
  onAbort(ending.signal, stop);
  try {
    for (let handed = 0; handed < batch.size && !leaving.aborted; ) {
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
    ending.dispose();
    if (!batch.hasEnded) await batch.cancel();
    batches.forget(batch);
  }
}
