import { setMaxListeners } from "node:events";
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";

/** The longest that a timer of Node can wait. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Timers that end when the simulator is closed. */
export class Clock {
  readonly #closed = new AbortController();

  constructor() {
    // Every wait adds a listener.
    setMaxListeners(0, this.#closed.signal);
  }

  get signal(): AbortSignal {
    return this.#closed.signal;
  }

  /**
   * Rejects with an `AbortError` once the simulator is closed.
   *
   * @param cut ends the wait early, without an error.
   */
  async sleep(milliseconds: number, cut?: AbortSignal): Promise<void> {
    if (milliseconds <= 0 || cut?.aborted) return;
    const closed = this.#closed.signal;
    const signal = cut === undefined ? closed : AbortSignal.any([closed, cut]);
    try {
      // A timer with more fires at once.
      for (let left = milliseconds; left > 0; left -= LONGEST_TIMER_MS) {
        await delay(Math.min(left, LONGEST_TIMER_MS), undefined, { signal });
      }
    } catch (error) {
      if (closed.aborted) throw error;
    }
  }

  /** Resolves after the other tasks that are due. */
  async yield(): Promise<void> {
    await nextTurn(undefined, { signal: this.#closed.signal });
  }

  close(): void {
    this.#closed.abort();
  }
}
