import type { CompletionRun } from "./completion-run.js";

export interface ShelfLimits {
  /** How long a finished completion is kept, in milliseconds. */
  readonly keptMs: number;
  /** How many finished ones are kept. */
  readonly most: number;
  /** How much their text may come to, in bytes. */
  readonly mostBytes: number;
}

export const SHELF_LIMITS: ShelfLimits = {
  keptMs: 30 * 60_000,
  most: 200,
  mostBytes: 64 * 1024 * 1024,
};

interface Finished {
  readonly bytes: number;
  /** By the clock of the shelf. */
  readonly since: number;
}

/** All completions that can be asked for: those under way, and the finished ones for a while. */
export class CompletionStore {
  readonly #limits: ShelfLimits;
  readonly #now: () => number;
  /** In the order in which they began. */
  readonly #runs = new Map<string, CompletionRun>();
  /** In the order in which they ended. */
  readonly #finished = new Map<string, Finished>();
  /** Those that a batch has still to hand over, whether or not they have ended. */
  readonly #promises = new Set<string>();
  /** The finished ones of these. They are not counted, since a batch is larger than the shelf. */
  readonly #promised = new Map<string, Finished>();
  #bytes = 0;
  readonly #onGone: (id: string) => void;

  /**
   * @param now Milliseconds that only grow: a clock that is set must not empty the shelf.
   * @param onGone Called with the id of each evicted completion.
   */
  constructor(limits: ShelfLimits, now: () => number, onGone: (id: string) => void = () => {}) {
    this.#limits = limits;
    this.#now = now;
    this.#onGone = onGone;
  }

  /** @param isPromised Keep it, however many others there are, until it is let go. */
  add(run: CompletionRun, isPromised = false): void {
    this.#runs.set(run.id, run);
    if (isPromised) this.#promises.add(run.id);
    void run.ended.then(() => this.#finish(run));
  }

  /** Its batch has handed it over: from now on it is kept as any other. */
  letGo(id: string): void {
    this.#promises.delete(id);
    const finished = this.#promised.get(id);
    if (finished === undefined) return;
    this.#promised.delete(id);
    this.#finished.set(id, { ...finished, since: this.#now() });
    this.#prune();
  }

  get(id: string): CompletionRun | null {
    this.#prune();
    return this.#runs.get(id) ?? null;
  }

  /** The newest first. */
  all(): CompletionRun[] {
    this.#prune();
    return [...this.#runs.values()].reverse();
  }

  #finish(run: CompletionRun): void {
    const { text, reasoning, warnings } = run.state();
    const characters = text.length + (reasoning?.length ?? 0) + warnings.join("").length;
    // Two bytes a character, as strings are held.
    const bytes = 2 * characters;
    const finished = this.#promises.has(run.id) ? this.#promised : this.#finished;
    finished.set(run.id, { bytes, since: this.#now() });
    this.#bytes += bytes;
    this.#prune();
  }

  /** The oldest go first; the one that has just ended stays whatever its size. */
  #prune(): void {
    this.#pruneOne(this.#finished, this.#limits.most);
    this.#pruneOne(this.#promised, Number.POSITIVE_INFINITY);
  }

  #pruneOne(finished: Map<string, Finished>, most: number): void {
    const { keptMs, mostBytes } = this.#limits;
    for (const [id, { bytes, since }] of finished) {
      const isLast = finished.size === 1;
      const isTooMuch = finished.size > most || (this.#bytes > mostBytes && !isLast);
      if (this.#now() - since <= keptMs && !isTooMuch) return;
      finished.delete(id);
      this.#promises.delete(id);
      this.#runs.delete(id);
      this.#bytes -= bytes;
      this.#onGone(id);
    }
  }
}
