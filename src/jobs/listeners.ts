import { type Logger, silentLogger } from "../log.js";

/** Listeners of events. A listener that throws is logged; it affects neither the process nor the work. */
export class Listeners<Event extends readonly unknown[]> {
  readonly #listeners = new Set<(...event: Event) => void>();
  readonly #log: Logger;

  constructor(log: Logger = silentLogger) {
    this.#log = log;
  }

  /**
   * Calls `listener` with every event from now on.
   *
   * @param latest An event for the listener to be called with at once.
   * @returns a function that removes the listener.
   */
  add(listener: (...event: Event) => void, latest?: Event): () => void {
    // One function for each call, since the same listener may be added twice.
    const own = (...event: Event): void => {
      try {
        listener(...event);
      } catch (defect) {
        this.#log.error({ err: defect }, "a listener threw");
      }
    };
    this.#listeners.add(own);
    if (latest !== undefined) own(...latest);
    return () => void this.#listeners.delete(own);
  }

  notify(...event: Event): void {
    for (const listener of [...this.#listeners]) listener(...event);
  }

  clear(): void {
    this.#listeners.clear();
  }
}
