import type { Completion, CompletionEvent } from "./completion.js";
import type { CompletionProgress } from "./progress.js";

/**
 * A completion as it comes. Iterate it once; leaving the loop ends the request, also while an event
 * is being waited for. It begins when it is first iterated. At any time, also after a failure,
 * {@link CompletionStream.snapshot} returns the completion so far.
 */
export class CompletionStream implements AsyncIterable<CompletionEvent> {
  readonly #leaving = new AbortController();
  readonly #events: AsyncGenerator<CompletionEvent, void>;
  readonly #progress: CompletionProgress;

  /**
   * @param run Ends without an error when its signal, which is the reader's leaving, is aborted.
   * @internal
   */
  constructor(
    run: (leaving: AbortSignal) => AsyncGenerator<CompletionEvent, void>,
    progress: CompletionProgress,
  ) {
    this.#events = run(this.#leaving.signal);
    this.#progress = progress;
  }

  /** The completion so far. */
  snapshot(): Completion {
    return this.#progress.snapshot();
  }

  /**
   * Whether the service may have received the prompt. Known after a failure.
   * @internal
   */
  get mayHaveBeenSent(): boolean {
    return this.#progress.mayHaveBeenSent;
  }

  [Symbol.asyncIterator](): AsyncIterator<CompletionEvent, void> {
    return {
      next: () => this.#events.next(),
      // By hand: the return() of a generator waits for the event it is waiting for, which can be
      // minutes away, and the service would generate until then.
      return: async () => {
        this.#leaving.abort();
        await this.#events.return();
        if (!this.#progress.hasEnded) this.#progress.end("cancelled");
        return { done: true, value: undefined };
      },
    };
  }
}
