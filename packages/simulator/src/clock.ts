import { setMaxListeners } from "node:events";
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";

/** The longest that a timer of Node can wait. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A timer that is later than this, in milliseconds, shows that this process stood still. */
export const LATE_MS = 250;

/**
 * Timers that end when the simulator is closed. A simulated service stands still with its process: on a machine
 * without CPU for it, a real one does not work either.
 */
export class Clock {
  readonly #closed = new AbortController();
  readonly signal: AbortSignal = this.#closed.signal;

  constructor() {
    // Every wait adds a listener.
    setMaxListeners(0, this.signal);
  }

  /**
   * Rejects with an `AbortError` once the simulator is closed.
   *
   * @param cut ends the wait early, without an error.
   */
  async sleep(milliseconds: number, cut?: AbortSignal): Promise<void> {
    if (milliseconds <= 0 || cut?.aborted) return;
    const closed = this.signal;
    const signal = cut === undefined ? closed : AbortSignal.any([closed, cut]);
    try {
      // A timer with more fires at once.
      for (let left = milliseconds; left > 0; left -= LONGEST_TIMER_MS) {
        const ms = Math.min(left, LONGEST_TIMER_MS);
        const dueAt = performance.now() + ms;
        await delay(ms, undefined, { signal });
        const lateMs = performance.now() - dueAt;
        if (lateMs > LATE_MS) await delay(Math.min(lateMs, ms), undefined, { signal });
      }
    } catch (error) {
      if (closed.aborted) throw error;
    }
  }

  /** Resolves after the other tasks that are due. */
  async yield(): Promise<void> {
    await nextTurn(undefined, { signal: this.signal });
  }

  close(): void {
    this.#closed.abort();
  }
}
