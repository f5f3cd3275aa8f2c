import { cancelledError, deferred, untilAborted } from "../lib/index.js";

interface Turn {
  readonly what: string;
  readonly onWait: (before: string) => void;
  readonly begin: () => void;
}

/** A mutex: one piece of work at a time, in the order of the calls. */
export class Serial {
  /** The first of them is running, the others wait. */
  readonly #turns: Turn[] = [];

  /** What is running; `null` for nothing. */
  get running(): string | null {
    return this.#turns[0]?.what ?? null;
  }

  /**
   * Runs the work when no other work of this mutex runs.
   *
   * @param what The name of the work, such as a model id: what {@link running} and `onWait` give.
   * @param onWait Called with the name of the work that is running, and of each that runs before this one.
   * @throws FoundryError `CANCELLED` when the signal is aborted before the work begins.
   */
  async run<T>(
    what: string,
    signal: AbortSignal,
    onWait: (before: string) => void,
    work: () => Promise<T>,
  ): Promise<T> {
    if (signal.aborted) throw cancelledError();
    const before = this.running;
    const begun = deferred();
    const turn: Turn = { what, onWait, begin: begun.resolve };
    this.#turns.push(turn);
    try {
      if (before !== null) {
        onWait(before);
        await untilAborted(begun.promise, signal);
      }
      return await work();
    } finally {
      this.#end(turn);
    }
  }

  #end(turn: Turn): void {
    const at = this.#turns.indexOf(turn);
    this.#turns.splice(at, 1);
    const [next, ...others] = this.#turns;
    if (at > 0 || next === undefined) return;
    next.begin();
    for (const { onWait } of others) onWait(next.what);
  }
}
