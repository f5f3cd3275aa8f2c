/** How much the newest measurement counts. */
const WEIGHT = 0.3;

/** How long a model is held for a completion, as it was measured lately. */
export class Durations {
  #averageMs: number | null = null;

  add(ms: number): void {
    this.#averageMs =
      this.#averageMs === null ? ms : this.#averageMs + WEIGHT * (ms - this.#averageMs);
  }

  /**
   * Roughly until the `place`-th in the queue has its turn, in milliseconds; `null`: not measured.
   *
   * @param heldMs How long each of those that have the model now has had it.
   */
  until(place: number, heldMs: readonly number[]): number | null {
    const average = this.#averageMs;
    if (average === null) return null;
    const left = heldMs.map((ms) => Math.max(0, average - ms)).sort((a, b) => a - b);
    const rounds = left.length === 0 ? place : Math.floor((place - 1) / left.length);
    const first = left[(place - 1) % left.length] ?? 0;
    return Math.round(first + rounds * average);
  }
}
