import { untilAborted } from "./async.js";

/** One question for all who ask at the same time; each only stops waiting for it when aborted. */
export class SingleFlight<T> {
  #flight: Promise<T> | null = null;

  /** @param question Takes no caller's signal, since it is asked for all of them. */
  ask(question: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (this.#flight === null) {
      const flight = question().finally(() => {
        if (this.#flight === flight) this.#flight = null;
      });
      this.#flight = flight;
    }
    return untilAborted(this.#flight, signal);
  }

  /** The next one asks for itself: the answer under way may be out of date. */
  forget(): void {
    this.#flight = null;
  }
}
