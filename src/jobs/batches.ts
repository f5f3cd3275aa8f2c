import * as z from "zod";
import {
  type CompletionRequest,
  checkOptions,
  signalOption,
  traceOption,
} from "../foundry/index.js";
import {
  deferred,
  FoundryError,
  joinedSignal,
  onAbort,
  parseArguments,
  type Trace,
  throwIfAborted,
} from "../lib/index.js";
import { type AdoptedItem, Batch, type BatchContent, type BatchResult } from "./batch.js";
import type { OutagePace } from "./batch-items.js";
import type { BatchEntry } from "./completion-options.js";
import { STORE_LIMITS } from "./completion-store.js";
import type { Completions } from "./completions.js";
import { notFound, otherKind } from "./ids.js";

export const BATCH_LIMIT = 500;
/** Batches that may be in progress. Each is a small record for each item, and its prompts. */
const MOST_UNDER_WAY = 20;
export const BATCH_ID = /^[A-Za-z0-9._-]{1,64}$/;

interface BatchOptions {
  /** Of no other batch. Default: a new id. */
  readonly id?: string | undefined;
  /** Equal for identical batches. Default: no batch is identical. */
  readonly key?: string | undefined;
  /** How many items may be in the queue or running at once. Default: twice the number of places. */
  readonly concurrency?: number | undefined;
  /** Takes each result as it comes. Default: they are kept until they are taken. */
  readonly onResult?: ((result: BatchResult) => void) | undefined;
  readonly trace?: Trace | undefined;
  /** Another process has begun it: it begins also where too many are in progress. Default `false`. */
  readonly goesOn?: boolean | undefined;
}

/** The batches in progress, and the ended ones until their time is over. */
export class Batches {
  readonly #completions: Completions;
  readonly #pace: OutagePace;
  readonly #batches = new Map<string, Batch>();

  /** @param pace For tests. */
  constructor(completions: Completions, pace: OutagePace = {}) {
    this.#completions = completions;
    this.#pace = pace;
  }

  /**
   * Starts a batch and returns at once.
   *
   * @param entries 1 to {@link BATCH_LIMIT}.
   * @throws FoundryError `INVALID_ARGUMENT` for the id of a completion, `QUEUE_FULL` when too many batches are in progress.
   */
  start(entries: readonly BatchEntry[], options: BatchOptions = {}): Batch {
    this.#completions.assertOpen();
    this.#prune();
    const { ids } = this.#completions;
    const id = options.id ?? ids.next("batch");
    if (ids.standingOf(id, "batch") === "other_kind") throw otherKind(id, "batch");
    if (options.goesOn !== true) this.#assertRoom();
    return this.#make(id, { entries }, options);
  }

  /** A batch that another process began, and that goes on there. An identical call continues it. */
  adopt(id: string, key: string, items: readonly AdoptedItem[]): void {
    this.#make(id, { adopted: items }, { key }).detach();
  }

  /** `null` if there is no batch with this id. */
  get(id: string): Batch | null {
    this.#prune();
    return this.#batches.get(id) ?? null;
  }

  /** @throws FoundryError `COMPLETION_NOT_FOUND`. */
  find(id: string): Batch {
    const batch = this.get(id);
    if (batch === null) throw notFound(id, "batch", this.#completions.ids);
    return batch;
  }

  /** An identical batch whose call a host ended by its own timeout. */
  takeOver(key: string): Batch | null {
    this.#prune();
    const same = [...this.#batches.values()].find((batch) => batch.isDetached && batch.key === key);
    if (same === undefined) return null;
    same.attach();
    return same;
  }

  /** No call waits for the batch any more. */
  forget({ id, pending }: Batch): void {
    for (const each of pending) this.#completions.unpin(each);
    this.#batches.delete(id);
    this.#completions.ids.forget(id);
  }

  #make(
    id: string,
    content: BatchContent,
    { concurrency, key = "", onResult, trace }: BatchOptions,
  ): Batch {
    const batch = new Batch({
      id,
      key,
      content,
      completions: this.#completions,
      pace: { ...this.#pace, window: () => concurrency ?? 2 * this.#completions.slots },
      onResult,
      trace,
    });
    this.#batches.set(id, batch);
    this.#completions.ids.claim(id, "batch");
    return batch;
  }

  #assertRoom(): void {
    const underWay = [...this.#batches.values()].filter((batch) => !batch.hasEnded).length;
    if (underWay < MOST_UNDER_WAY) return;
    throw new FoundryError("QUEUE_FULL", `Too many batches are in progress (${underWay}).`, {
      action: "Wait until one of them has ended, or stop one.",
      retryable: true,
    });
  }

  #prune(): void {
    for (const batch of this.#batches.values()) {
      const isOld = performance.now() - batch.touchedAt > STORE_LIMITS.keptMs;
      if (batch.hasEnded && isOld) this.forget(batch);
    }
  }
}

export interface CompleteBatchOptions {
  /** How many items at once, 1 or more; the queue of the model may allow fewer. */
  readonly concurrency?: number | undefined;
  /** Aborting it stops what has not ended, and ends the loop with `CANCELLED` or `TIMEOUT`. */
  readonly signal?: AbortSignal | undefined;
  /** As in the options of a call, for each of its completions. */
  readonly trace?: Trace | undefined;
}

const CONCURRENCY = "a whole number, 1 or more";
const batchOptions = z.strictObject({
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
  let change = deferred();
  const onResult = (result: BatchResult): void => {
    come.push(result);
    change.resolve();
  };
  const batch = batches.start(requests, { concurrency, onResult, trace });
  // At once, though the reader may be busy with a result.
  const stop = (): void => {
    batch.cancel().catch(() => {});
    change.resolve();
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
        change = deferred();
        await change.promise;
      }
    }
  } finally {
    ending.dispose();
    if (!batch.hasEnded) await batch.cancel();
    batches.forget(batch);
  }
}
