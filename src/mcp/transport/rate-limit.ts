/** At most this many in each period. */
export class RateLimit {
  readonly #most: number;
  readonly #periodMs: number;
  readonly #now: () => number;
  #periodBegan = Number.NEGATIVE_INFINITY;
  #taken = 0;

  constructor(most: number, periodMs: number, now: () => number = () => performance.now()) {
    this.#most = most;
    this.#periodMs = periodMs;
    this.#now = now;
  }

  /** Returns whether there was room for one more. */
  take(): boolean {
    const now = this.#now();
    if (now - this.#periodBegan >= this.#periodMs) {
      this.#periodBegan = now;
      this.#taken = 0;
    }
    this.#taken += 1;
    return this.#taken <= this.#most;
  }
}
