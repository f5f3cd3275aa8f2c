import type { CompletionRun } from "./completion-run.js";

export interface StoreLimits {
  /** How long a finished completion is kept, in milliseconds. */
  readonly keptMs: number;
  /** How many finished completions are kept. */
  readonly most: number;
  /** The size of all texts, values, calls of tools and details that are kept, in bytes. */
  readonly mostBytes: number;
}

export const STORE_LIMITS: StoreLimits = {
  keptMs: 30 * 60_000,
  most: 200,
  mostBytes: 64 * 1024 * 1024,
};

interface Finished {
  readonly bytes: number;
  /** By the clock of the store. */
  readonly since: number;
}

/** The completions that a call can read: the running ones, and the finished ones until their eviction. */
export class CompletionStore {
  readonly #limits: StoreLimits;
  readonly #now: () => number;
  /** In the order of their beginnings. */
  readonly #runs = new Map<string, CompletionRun>();
  /** In the order of their ends. */
  readonly #finished = new Map<string, Finished>();
  /** Completions that their batch has not returned yet. */
  readonly #pinnedIds = new Set<string>();
  /** The finished ones of these. No limit on their number or time applies: a batch may exceed both. */
  readonly #pinned = new Map<string, Finished>();
  #bytes = 0;
  readonly #onGone: (id: string) => void;

  /**
   * @param now A monotonic clock in milliseconds: setting the system's clock must not empty the store.
   * @param onGone Called with the id of each evicted completion.
   */
  constructor(limits: StoreLimits, now: () => number, onGone: (id: string) => void) {
    this.#limits = limits;
    this.#now = now;
    this.#onGone = onGone;
  }

  /** @param isPinned Exempt from the limits on number and time until {@link unpin}. */
  add(run: CompletionRun, isPinned = false): void {
    this.#runs.set(run.id, run);
    if (isPinned) this.#pinnedIds.add(run.id);
    void run.ended.then(() => this.#finish(run));
  }

  /** Its batch has returned it: the usual limits apply from now on. */
  unpin(id: string): void {
    this.#pinnedIds.delete(id);
    const finished = this.#pinned.get(id);
    if (finished === undefined) return;
    this.#pinned.delete(id);
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
    const { text, reasoning, data, toolCalls, details, warnings, error } = run.state();
    const kept = [text, reasoning, data, toolCalls, details, warnings, error?.detail];
    // A string takes two bytes for a character.
    const bytes = 2 * JSON.stringify(kept).length;
    const finished = this.#pinnedIds.has(run.id) ? this.#pinned : this.#finished;
    finished.set(run.id, { bytes, since: this.#now() });
    this.#bytes += bytes;
    this.#prune();
  }

  /** Evicts the oldest first. The completion that has just ended stays, also if it is too large. */
  #prune(): void {
    const { most, keptMs } = this.#limits;
    this.#pruneOne(this.#finished, most, keptMs);
    this.#pruneOne(this.#pinned, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  }

  #pruneOne(finished: Map<string, Finished>, most: number, keptMs: number): void {
    const { mostBytes } = this.#limits;
    for (const [id, { bytes, since }] of finished) {
      const isLast = finished.size === 1;
      const isTooMuch = finished.size > most || (this.#bytes > mostBytes && !isLast);
      if (this.#now() - since <= keptMs && !isTooMuch) return;
      finished.delete(id);
      this.#pinnedIds.delete(id);
      this.#runs.delete(id);
      this.#bytes -= bytes;
      this.#onGone(id);
    }
  }
}
