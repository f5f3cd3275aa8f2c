import type { ClientMetrics } from "../../jobs/index.js";

/** What happened between two samples, and how the queue stood at the second. */
export interface Sample {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Completions that ended well, and that failed or were interrupted. */
  readonly completed: number;
  readonly failed: number;
  readonly outputTokens: number;
  /** The mean of the completions that ended; `null`: none did. */
  readonly latencyMs: number | null;
  readonly firstTokenMs: number | null;
  readonly running: number;
  readonly waiting: number;
}

/** Sums of all completions. */
interface Sums {
  readonly completed: number;
  readonly failed: number;
  readonly outputTokens: number;
  readonly latency: Mean;
  readonly firstToken: Mean;
}

interface Mean {
  readonly count: number;
  readonly sum: number;
}

export const SAMPLE_MS = 10_000;
const HOUR_MS = 3_600_000;
const MOST_SAMPLES = HOUR_MS / SAMPLE_MS;

/** The last hour of a client, one sample each ten seconds. */
export class Samples {
  readonly #samples: Sample[] = [];
  #last: Sums | null = null;

  /** The oldest first. */
  get all(): readonly Sample[] {
    return this.#samples;
  }

  /** Takes a sample. The first call only remembers where the counts begin. */
  take(metrics: Pick<ClientMetrics, "operations" | "queue">, at = Date.now()): void {
    const sums = sumsOf(metrics);
    const last = this.#last;
    this.#last = sums;
    if (last === null) return;
    this.#samples.push({
      at,
      completed: sums.completed - last.completed,
      failed: sums.failed - last.failed,
      outputTokens: sums.outputTokens - last.outputTokens,
      latencyMs: meanSince(last.latency, sums.latency),
      firstTokenMs: meanSince(last.firstToken, sums.firstToken),
      ...metrics.queue,
    });
    if (this.#samples.length > MOST_SAMPLES) this.#samples.shift();
  }
}

function sumsOf({ operations }: Pick<ClientMetrics, "operations">): Sums {
  const completions = operations.filter(({ operation }) => operation === "complete");
  const sum = (of: (each: (typeof completions)[number]) => number): number =>
    completions.reduce((all, each) => all + of(each), 0);
  const meanOf = (name: "latencyMs" | "firstTokenMs"): Mean => ({
    count: sum((each) => each[name]?.count ?? 0),
    sum: sum((each) => each[name]?.sum ?? 0),
  });
  return {
    completed: sum(({ completed }) => completed),
    failed: sum(({ failed, interrupted }) => failed + interrupted),
    outputTokens: sum(({ outputTokens }) => outputTokens),
    latency: meanOf("latencyMs"),
    firstToken: meanOf("firstTokenMs"),
  };
}

function meanSince(before: Mean, now: Mean): number | null {
  const count = now.count - before.count;
  return count === 0 ? null : Math.round((now.sum - before.sum) / count);
}
