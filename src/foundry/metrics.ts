/** What a client has done since it was made. */
export interface Totals {
  readonly completed: number;
  readonly interrupted: number;
  readonly cancelled: number;
  readonly failed: number;
  /** Tokens of all answers, as counted by the service or, where it does not, estimated. */
  readonly outputTokens: number;
}

export class Metrics {
  #running = 0;
  readonly #totals = { completed: 0, interrupted: 0, cancelled: 0, failed: 0, outputTokens: 0 };

  get running(): number {
    return this.#running;
  }

  get totals(): Totals {
    return { ...this.#totals };
  }

  began(): void {
    this.#running += 1;
  }

  ended(outcome: "completed" | "interrupted" | "cancelled" | "failed", outputTokens: number): void {
    this.#running -= 1;
    this.#totals[outcome] += 1;
    // The sum stays a whole number that others can read, whatever a service counts.
    if (!Number.isSafeInteger(outputTokens) || outputTokens < 0) return;
    const sum = this.#totals.outputTokens + outputTokens;
    this.#totals.outputTokens = Math.min(sum, Number.MAX_SAFE_INTEGER);
  }
}
