import type { Completion, CompletionEvent, CompletionStatus } from "../foundry/index.js";
import { type FoundryError, toFoundryError, untilAborted } from "../lib/index.js";

/** A completion as the service's client makes it. */
export interface OpenedCompletion extends AsyncIterable<CompletionEvent> {
  snapshot(): Completion;
  /** Whether the service may have received the prompt. Known after a failure. */
  readonly mayHaveBeenSent: boolean;
}

/**
 * What a completion waits for before it begins: its turn in a batch. Asked at first with `null`, and
 * again with a failure before which nothing was sent; the answer `null` then lets it fail. Where the
 * turn is refused, it fails, too.
 */
export type Turn = (failure: FoundryError | null) => Promise<void> | null;

/** Failures before which the service was not reached. */
export const NOT_REACHED: ReadonlySet<string> = new Set([
  "NO_ENDPOINT",
  "SERVICE_UNREACHABLE",
  "CIRCUIT_OPEN",
  "TIMEOUT",
]);

export interface GatedStreamParts {
  readonly turn: Turn;
  /** Begins nothing before it is iterated. */
  readonly open: () => OpenedCompletion;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
}

/**
 * A completion behind a gate: it sends nothing before its turn, and waits again after a failure to
 * reach the service. Until then it is a small record.
 */
export class GatedStream implements OpenedCompletion {
  readonly #parts: GatedStreamParts;
  #stream: OpenedCompletion;
  #heldMs = 0;
  /** What became of it where it ended while it waited. */
  #ended: CompletionStatus | null = null;

  constructor(parts: GatedStreamParts) {
    this.#parts = parts;
    this.#stream = parts.open();
  }

  get mayHaveBeenSent(): boolean {
    return this.#stream.mayHaveBeenSent;
  }

  snapshot(): Completion {
    const completion = this.#stream.snapshot();
    const { timing, status } = completion;
    const queuedMs = timing.queuedMs ?? (this.#ended === null ? null : 0);
    return {
      ...completion,
      status: this.#ended ?? status,
      timing: {
        ...timing,
        queuedMs: queuedMs === null ? null : queuedMs + Math.round(this.#heldMs),
      },
    };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<CompletionEvent, void> {
    let failure: FoundryError | null = null;
    do {
      await this.#waitForTurn(failure);
      try {
        yield* this.#stream;
        return;
      } catch (thrown) {
        failure = toFoundryError(thrown);
        const mayGoAgain = NOT_REACHED.has(failure.code) && !this.#stream.mayHaveBeenSent;
        if (!mayGoAgain) throw failure;
      }
    } while (failure !== null);
  }

  async #waitForTurn(failure: FoundryError | null): Promise<void> {
    const turn = this.#parts.turn(failure);
    if (turn === null) {
      if (failure !== null) throw failure;
      return;
    }
    if (failure !== null) this.#stream = this.#parts.open();
    const since = performance.now();
    try {
      await untilAborted(turn, this.#parts.signal);
    } catch (thrown) {
      const error = toFoundryError(thrown);
      // Stops the clock of what never began.
      await this.#stream[Symbol.asyncIterator]().return?.();
      this.#ended = error.code === "CANCELLED" ? "cancelled" : "failed";
      throw error;
    } finally {
      this.#heldMs += performance.now() - since;
    }
  }
}

/** A completion that was refused before it could begin: a bad item among good ones. */
export function refusedCompletion(id: string, failure: FoundryError): OpenedCompletion {
  return {
    mayHaveBeenSent: false,
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
