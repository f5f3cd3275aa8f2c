import { type Logger, silentLogger } from "../log.js";

/** Listeners of events. One that throws ends neither the process nor what it listens to. */
export class Listeners<Event extends readonly unknown[]> {
  readonly #listeners = new Set<(...event: Event) => void>();
  readonly #log: Logger;

  constructor(log: Logger = silentLogger) {
    this.#log = log;
  }

  /**
   * Calls `listener` with every event from now on.
   *
   * @param latest An event that it is called with at once.
   * @returns a function that removes the listener, and returns whether it was still there.
   */
  add(listener: (...event: Event) => void, latest?: Event): () => boolean {
    // A function of its own, since the same listener may come twice.
    const own = (...event: Event): void => {
      try {
        listener(...event);
      } catch (defect) {
        this.#log.error({ err: defect }, "a listener threw");
      }
    };
    this.#listeners.add(own);
    if (latest !== undefined) own(...latest);
    return () => this.#listeners.delete(own);
  }

  notify(...event: Event): void {
    for (const listener of [...this.#listeners]) listener(...event);
  }

  clear(): void {
    this.#listeners.clear();
  }
}
