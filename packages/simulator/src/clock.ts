import { setMaxListeners } from "node:events";
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";

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
    if (cut === undefined) {
      await delay(milliseconds, undefined, { signal: this.#closed.signal });
      return;
    }
    const signal = AbortSignal.any([this.#closed.signal, cut]);
    try {
      await delay(milliseconds, undefined, { signal });
    } catch (error) {
      if (this.#closed.signal.aborted) throw error;
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
