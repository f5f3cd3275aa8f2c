import { cancelledError, onAbort } from "../../lib/index.js";

interface Waiting {
  readonly model: string;
  readonly onWait: (before: string) => void;
  readonly begin: () => void;
}

/**
 * One load at a time, in the order in which they were asked for: side by side they are no quicker on
 * any service, and each of them may be the one too many for the memory.
 */
export class SerialLoads {
  #loading: string | null = null;
  readonly #waiting: Waiting[] = [];

  /** Which model is being loaded. */
  get loading(): string | null {
    return this.#loading;
  }

  /**
   * Does the work when its turn has come.
   *
   * @param onWait told which model is being loaded meanwhile, whenever that is another one.
   * @throws FoundryError `CANCELLED` when the signal is aborted before its turn.
   */
  async take<T>(
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
