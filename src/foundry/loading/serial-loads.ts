import { cancelledError, onAbort } from "../../lib/index.js";

interface Waiting {
  readonly onWait: (before: string) => void;
  readonly model: string;
  readonly begin: () => void;
}

/**
 * A mutex for loads, first come, first served: no service loads two models faster at the same time, and
 * concurrent loads need more memory.
 */
export class SerialLoads {
  #loading: string | null = null;
  readonly #waiting: Waiting[] = [];

  /** The model that is being loaded. */
  get loading(): string | null {
    return this.#loading;
  }

  /**
   * Runs the work while no other load runs.
   *
   * @param onWait Called with the model that is being loaded, and with each that follows before this.
   * @throws FoundryError `CANCELLED` when the signal is aborted before the work begins.
   */
  async run<T>(
    model: string,
    signal: AbortSignal,
    onWait: (before: string) => void,
    work: () => Promise<T>,
  ): Promise<T> {
    if (signal.aborted) throw cancelledError();
    if (this.#loading === null) this.#loading = model;
    else await this.#wait(model, this.#loading, signal, onWait);
    try {
      return await work();
    } finally {
      this.#next();
    }
  }

  #wait(
    model: string,
    before: string,
    signal: AbortSignal,
    onWait: (before: string) => void,
  ): Promise<void> {
    onWait(before);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(cancelledError());
      };
      const stopListening = onAbort(signal, leave);
      const begin = (): void => {
        stopListening();
        resolve();
      };
      const waiting: Waiting = { model, onWait, begin };
      this.#waiting.push(waiting);
    });
  }

  #next(): void {
    const next = this.#waiting.shift();
    this.#loading = next?.model ?? null;
    if (next === undefined) return;
    next.begin();
    for (const { onWait } of [...this.#waiting]) onWait(next.model);
  }
}
