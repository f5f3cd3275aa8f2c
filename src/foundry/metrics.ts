/** Counts of a client's completions since it was created. */
export interface HealthTotals {
  readonly completed: number;
  readonly interrupted: number;
  readonly cancelled: number;
  readonly failed: number;
  /** Tokens of all answers, as counted by the service or, where it does not, estimated. */
  readonly outputTokens: number;
}

export class Metrics {
  readonly #totals = { completed: 0, interrupted: 0, cancelled: 0, failed: 0, outputTokens: 0 };

  get totals(): HealthTotals {
    return { ...this.#totals };
  }

  ended(outcome: "completed" | "interrupted" | "cancelled" | "failed", outputTokens: number): void {
    this.#totals[outcome] += 1;
    // The sum stays a safe integer, whatever a service counts.
    if (!Number.isSafeInteger(outputTokens) || outputTokens < 0) return;
    const sum = this.#totals.outputTokens + outputTokens;
    this.#totals.outputTokens = Math.min(sum, Number.MAX_SAFE_INTEGER);
  }
}
