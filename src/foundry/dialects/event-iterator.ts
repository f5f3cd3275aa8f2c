import type { StreamEvent } from "../../http/index.js";
import { COUNTS_AFTER_END_MS, FoundryError, isCancellation } from "../../lib/index.js";

/**
 * Reads a stream event by event. From the end of its answer on only the counts may follow: they are
 * waited for briefly, and what breaks off then is an end like any other.
 */
export class EventIterator {
  readonly #events: AsyncIterator<StreamEvent, unknown>;
  /** How long the next events may be waited for; `null`: without a limit of its own. */
  #leftMs: number | null = null;

  constructor(events: AsyncIterable<StreamEvent>) {
    this.#events = events[Symbol.asyncIterator]();
  }

  /** The answer has ended, or went on after its end. */
  answerEnded(): void {
    this.#leftMs = COUNTS_AFTER_END_MS;
  }

  /** The next event; `null` at the end. */
  async next(): Promise<StreamEvent | null> {
    if (this.#leftMs === null) return this.#next();
    const since = performance.now();
    const event = await this.#nextWithin(this.#leftMs);
    // Without the time that the reader takes.
    this.#leftMs -= performance.now() - since;
    return event;
  }

  /** Ends the request if it still runs. */
  async leave(): Promise<void> {
    await this.#events.return?.();
  }

  async #next(): Promise<StreamEvent | null> {
    const result = await this.#events.next();
    return result.done === true ? null : result.value;
  }

  async #nextWithin(limitMs: number): Promise<StreamEvent | null> {
    if (limitMs <= 0) return null;
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise<null>((resolve) => {
      // Not before what has arrived is read, however late the timer is.
      timer = setTimeout(() => setImmediate(resolve, null), limitMs);
    });
    try {
      return await Promise.race([this.#next(), timeUp]);
    } catch (thrown) {
      if (thrown instanceof FoundryError && isCancellation(thrown)) {
        throw thrown;
      }
      return null;
    } finally {
      clearTimeout(timer);
    }
  }
}
