import type { Completion, CompletionEvent, ServiceCompletion } from "../foundry/index.js";
import { type FoundryError, toFoundryError, untilAborted } from "../lib/index.js";
import type { Queue, Waiter } from "./queue.js";
import type { CacheSlot } from "./response-cache.js";

/** A completion that a run reads to its end. */
export interface OpenedCompletion extends AsyncIterable<CompletionEvent> {
  snapshot(): Completion;
}

/** What a completion waits for before its first step: its turn in a batch. */
export interface Gate {
  /** Resolves when the completion may begin. Rejects with the reason if it never may. */
  turn(): Promise<void>;
  /** Whether the completion waits for another turn after a failure before which nothing was sent. */
  mayWait(failure: FoundryError): boolean;
  /** There is a service, or there was. */
  met(): void;
  /** The service answers. */
  reached(): void;
}

/** @internal */
export interface CompletionStreamParts extends Pick<Waiter, "caller" | "isBatch" | "goesOn"> {
  readonly completion: ServiceCompletion;
  readonly queue: Queue;
  /** Called with the place in the queue and the estimate, and with `null` when it waits no more. */
  readonly onPlace?: ((place: number | null, etaMs: number | null) => void) | undefined;
  /** Default: the completion begins at once. */
  readonly gate?: Gate | undefined;
  /** Where its answer is found or kept. Default: nowhere. */
  readonly cache?: CacheSlot | null;
}

/**
 * A completion as it comes. Iterate it once; leaving the loop ends the request, also while an event
 * is being waited for. It begins when it is first iterated. At any time, also after a failure,
 * {@link CompletionStream.snapshot} returns the completion so far.
 */
export class CompletionStream implements AsyncIterable<CompletionEvent> {
  readonly #parts: CompletionStreamParts;
  readonly #events: AsyncGenerator<CompletionEvent, void>;
  /** It has had a place in the queue. */
  #hasEntered = false;

  /** @internal */
  constructor(parts: CompletionStreamParts) {
    this.#parts = parts;
    this.#events = this.#run();
  }

  /** The completion so far. */
  snapshot(): Completion {
    return this.#parts.completion.snapshot();
  }

  [Symbol.asyncIterator](): AsyncIterator<CompletionEvent, void> {
    return {
      next: () => this.#events.next(),
      // By hand: the return() of a generator waits for the event it is waiting for, which can be
      // minutes away, and the service would generate until then.
      return: async () => {
        this.#parts.completion.leave();
        await this.#events.return();
        return { done: true, value: undefined };
      },
    };
  }

  /** Prepare, queue, run; again where the failure allows it. */
  async *#run(): AsyncGenerator<CompletionEvent, void> {
    const { completion, gate } = this.#parts;
    try {
      await this.#turn();
      for (;;) {
        try {
          yield* this.#attempt();
          break;
        } catch (thrown) {
          const error = await completion.explain(thrown);
          const canRetry = await completion.canRetry(error);
          const waits = !canRetry && !completion.mayHaveBeenSent && gate?.mayWait(error) === true;
          if (!canRetry && !waits) throw error;
          completion.restart(canRetry ? "retry" : "first");
          if (waits) await this.#turn();
        }
      }
      // The place in the queue is free again: the reader may start another completion now.
      const completed = completion.complete();
      this.#parts.cache?.keep(completion.snapshot(), completion.callWarnings);
      yield completed;
    } catch (thrown) {
      const failure = toFoundryError(thrown);
      const error = completion.fail(failure);
      if (!completion.wasLeft || failure.code !== "CANCELLED") throw error;
    } finally {
      completion.dispose();
    }
  }

  async *#attempt(): AsyncGenerator<CompletionEvent, void> {
    const { completion, queue, caller, isBatch, onPlace, cache } = this.#parts;
    const { model, service, generationsAtOnce, run } = await completion.prepare();
    const stored = (await cache?.find(model, service)) ?? null;
    if (stored !== null) {
      yield* completion.restore(stored);
      return;
    }
    // One that begins again has waited for its place already.
    const goesOn = this.#parts.goesOn === true || this.#hasEntered;
    const waiter = { caller, isBatch, goesOn, onPlace, signal: completion.signal };
    const release = await completion
      .queued(queue.enter(model, generationsAtOnce, waiter))
      .finally(() => onPlace?.(null, null));
    this.#hasEntered = true;
    try {
      yield* run();
    } finally {
      release();
    }
  }

  async #turn(): Promise<void> {
    const { completion, gate } = this.#parts;
    if (gate === undefined) return;
    await completion.queued(untilAborted(gate.turn(), completion.signal));
  }
}

/** A completion that was refused before it could begin: a bad item among good ones. */
export function refusedCompletion(id: string, failure: FoundryError): OpenedCompletion {
  return {
    snapshot: () => ({
      id,
      status: "failed",
      text: "",
      reasoning: null,
      finishReason: null,
      model: null,
      usage: { inputTokens: null, outputTokens: null, estimated: true },
      timing: { queuedMs: 0, loadMs: 0, firstTokenMs: null, totalMs: 0, tokensPerSecond: null },
      attempts: 0,
      cached: false,
      warnings: [],
    }),
    // biome-ignore lint/correctness/useYield: it fails before there is anything to tell.
    async *[Symbol.asyncIterator]() {
      throw failure;
    },
  };
}
