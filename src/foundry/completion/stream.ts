import type { Completion, CompletionEvent } from "./completion.js";
import type { CompletionProgress } from "./progress.js";

/**
 * A completion as it comes. Iterate it once; leaving the loop ends the request. It begins when it is
 * first iterated. At any time, also after a failure, {@link CompletionStream.snapshot} tells what
 * there is.
 */
export class CompletionStream implements AsyncIterable<CompletionEvent> {
  readonly #events: AsyncGenerator<CompletionEvent, void>;
  readonly #progress: CompletionProgress;

  constructor(events: AsyncGenerator<CompletionEvent, void>, progress: CompletionProgress) {
    this.#events = events;
    this.#progress = progress;
  }

  /** The completion so far. */
  snapshot(): Completion {
    return this.#progress.snapshot();
  }

  [Symbol.asyncIterator](): AsyncIterator<CompletionEvent, void> {
    return this.#events;
  }
}
