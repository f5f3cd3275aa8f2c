import type { ErrorCode } from "./errors.js";
import { type Distribution, Histogram } from "./histogram.js";
import { MOST_MODELS_MEASURED } from "./limits.js";

/** What a call does. A load that a completion needs is part of the completion. */
export type Operation = "complete" | "embed" | "list" | "load" | "download" | "unload";
export type Outcome = "completed" | "interrupted" | "cancelled" | "failed";

/** Requests to the service. Bytes are of bodies, as they are sent: compressed ones are counted so. */
export interface Traffic {
  /** All that were tried, redirects and retries included. */
  readonly requests: number;
  /** Of them those that repeat a request, or a whole call, after a failure. */
  readonly retries: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** A `Traffic` that is being counted. */
export type TrafficCounts = { -readonly [Name in keyof Traffic]: Traffic[Name] };

/** Counts of a client's completions since it was created. */
export interface HealthTotals {
  readonly completed: number;
  readonly interrupted: number;
  readonly cancelled: number;
  readonly failed: number;
  /** Tokens of all answers, as counted by the service or, where it does not, estimated. */
  readonly outputTokens: number;
}

/** The latest call that failed or was interrupted. */
export interface LastError {
  readonly operation: Operation;
  readonly model: string | null;
  readonly code: ErrorCode;
  /** Milliseconds since its end. */
  readonly agoMs: number;
}

/** The ended calls of one operation on one model. A distribution without a value is `null`. */
export interface OperationMetrics extends HealthTotals, Traffic {
  readonly operation: Operation;
  /**
   * Its exact id; `null` where the call needs none or ended before it was known; `other models` beyond
   * the first 50.
   */
  readonly model: string | null;
  /** How many calls failed or were interrupted with a code. */
  readonly errors: Readonly<Partial<Record<ErrorCode, number>>>;
  /** Completions that the cache answered; they are in `completed` and in no distribution. */
  readonly cacheHits: number;
  readonly inputTokens: number;
  /** Milliseconds of the calls that succeeded. */
  readonly latencyMs: Distribution | null;
  /** Of completions: milliseconds in the queue, from the request to the first token, and tokens per second. */
  readonly queueMs: Distribution | null;
  readonly firstTokenMs: Distribution | null;
  readonly tokensPerSecond: Distribution | null;
}

/** Counts of a client since it was created. A call is counted when it ends. */
export interface RecordedMetrics {
  readonly uptimeMs: number;
  readonly operations: readonly OperationMetrics[];
  /** Requests that belong to no call: of searches, detections and health checks. */
  readonly background: Traffic;
  /** How often the circuit breaker of an endpoint opened and closed. */
  readonly circuit: { readonly opened: number; readonly closed: number };
  readonly lastError: LastError | null;
}

/** What is known of an answer when its completion ends. */
export interface AnswerFigures {
  readonly cached: boolean;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly queueMs: number | null;
  readonly firstTokenMs: number | null;
  readonly tokensPerSecond: number | null;
}

/** Completions of one model that failed one after the other, the latest a short time ago. */
export interface Failing {
  readonly model: string | null;
  readonly count: number;
  readonly code: ErrorCode;
  readonly agoMs: number;
}

/** How long failures are a reason for a health check to warn. */
const JUST_MS = 60_000;
const OTHER_MODELS = "other models";

/** Failures that say something about the service, and not about what was asked of it. */
const SERVICE_FAULTS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "NO_ENDPOINT",
  "EMBEDDED_FAILED",
  "SERVICE_UNREACHABLE",
  "CIRCUIT_OPEN",
  "NOT_FOUNDRY",
  "UNAUTHORIZED",
  "SERVICE_BUSY",
  "SERVICE_ERROR",
  "INVALID_RESPONSE",
  "RESPONSE_TOO_LARGE",
  "TIMEOUT",
  "LOAD_FAILED",
  "EP_UNAVAILABLE",
  "INFERENCE_FAILED",
  "SERVER_CRASHED",
  "STREAM_INTERRUPTED",
]);

/** A failure by the clock of the recorder. */
interface Failure {
  readonly count: number;
  readonly code: ErrorCode;
  readonly at: number;
}

/** The calls of one operation on one model. */
export class Calls {
  readonly outcomes = { completed: 0, interrupted: 0, cancelled: 0, failed: 0 };
  readonly errors = new Map<ErrorCode, number>();
  readonly traffic: TrafficCounts = noTraffic();
  readonly latencyMs = new Histogram();
  readonly queueMs = new Histogram();
  readonly firstTokenMs = new Histogram();
  readonly tokensPerSecond = new Histogram();
  cacheHits = 0;
  inputTokens = 0;
  outputTokens = 0;
  /** Since its latest success. */
  failing: Failure | null = null;

  constructor(
    readonly operation: Operation,
    readonly model: string | null,
  ) {}

  get metrics(): OperationMetrics {
    const { operation, model, cacheHits, inputTokens, outputTokens } = this;
    return {
      operation,
      model,
      ...this.outcomes,
      errors: Object.fromEntries(this.errors),
      cacheHits,
      inputTokens,
      outputTokens,
      ...this.traffic,
      latencyMs: this.latencyMs.distribution,
      queueMs: this.queueMs.distribution,
      firstTokenMs: this.firstTokenMs.distribution,
      tokensPerSecond: this.tokensPerSecond.distribution,
    };
  }
}

/** A call that has not ended. */
export interface OpenCall {
  readonly traffic: TrafficCounts;
  /** Set as soon as it is known. */
  model: string | null;
  /** Counts it. Further calls do nothing. */
  end(outcome: Outcome, code: ErrorCode | null, answer?: AnswerFigures): void;
}

/**
 * All counts of a client: the only place where calls are counted. Its memory is bounded by the number of
 * models.
 */
export class MetricsRecorder {
  readonly background: TrafficCounts = noTraffic();
  readonly circuit = { opened: 0, closed: 0 };
  readonly #now: () => number;
  readonly #since: number;
  readonly #calls = new Map<string, Calls>();
  readonly #models = new Set<string>();
  #last: (Omit<LastError, "agoMs"> & { readonly at: number }) | null = null;

  /** @param now A monotonic clock in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#since = now();
  }

  /** @param operation `null`: the call is not counted, and its requests are in the background. */
  begin(operation: Operation | null): OpenCall {
    const since = this.#now();
    const traffic = operation === null ? this.background : noTraffic();
    let hasEnded = false;
    const call: OpenCall = {
      traffic,
      model: null,
      end: (outcome, code, answer) => {
        if (hasEnded || operation === null) return;
        hasEnded = true;
        const calls = this.#callsOf(operation, call.model);
        this.#count(calls, outcome, code, this.#now() - since, answer ?? null);
        for (const [name, sum] of trafficEntries(traffic)) calls.traffic[name] += sum;
      },
    };
    return call;
  }

  /** One for each operation and model that a call has ended of. */
  get all(): readonly Calls[] {
    return [...this.#calls.values()];
  }

  get totals(): HealthTotals {
    const sums = { completed: 0, interrupted: 0, cancelled: 0, failed: 0, outputTokens: 0 };
    for (const { outcomes, outputTokens } of this.#completions) {
      sums.completed += outcomes.completed;
      sums.interrupted += outcomes.interrupted;
      sums.cancelled += outcomes.cancelled;
      sums.failed += outcomes.failed;
      sums.outputTokens = exactSum(sums.outputTokens, outputTokens);
    }
    return sums;
  }

  get cacheHits(): number {
    return this.#completions.reduce((sum, { cacheHits }) => sum + cacheHits, 0);
  }

  /** The completions of all models. */
  distributionOf(name: "latencyMs" | "firstTokenMs" | "tokensPerSecond"): Distribution | null {
    const whole = new Histogram();
    for (const calls of this.#completions) whole.addAll(calls[name]);
    return whole.distribution;
  }

  get lastError(): LastError | null {
    if (this.#last === null) return null;
    const { at, ...error } = this.#last;
    return { ...error, agoMs: this.#msSince(at) };
  }

  /** Models whose latest completions have just failed by a fault of the service. */
  get failing(): Failing[] {
    return this.#completions.flatMap(({ model, failing }) => {
      if (failing === null || this.#now() - failing.at > JUST_MS) return [];
      const { count, code, at } = failing;
      return [{ model, count, code, agoMs: this.#msSince(at) }];
    });
  }

  snapshot(): RecordedMetrics {
    return {
      uptimeMs: this.#msSince(this.#since),
      operations: this.all.map(({ metrics }) => metrics),
      background: { ...this.background },
      circuit: { ...this.circuit },
      lastError: this.lastError,
    };
  }

  get #completions(): Calls[] {
    return this.all.filter(({ operation }) => operation === "complete");
  }

  #msSince(at: number): number {
    return Math.max(0, Math.round(this.#now() - at));
  }

  #callsOf(operation: Operation, given: string | null): Calls {
    const hasRoom = this.#models.size < MOST_MODELS_MEASURED;
    const model = given === null || hasRoom || this.#models.has(given) ? given : OTHER_MODELS;
    if (model !== null && model !== OTHER_MODELS) this.#models.add(model);
    const key = JSON.stringify([operation, model]);
    let calls = this.#calls.get(key);
    if (calls === undefined) {
      calls = new Calls(operation, model);
      this.#calls.set(key, calls);
    }
    return calls;
  }

  #count(
    calls: Calls,
    outcome: Outcome,
    code: ErrorCode | null,
    latencyMs: number,
    answer: AnswerFigures | null,
  ): void {
    calls.outcomes[outcome] += 1;
    if (answer?.cached === true) calls.cacheHits += 1;
    else this.#measure(calls, outcome === "completed" ? latencyMs : null, answer);
    if (outcome === "completed") this.#succeeded(calls);
    if (code === null || outcome === "completed" || outcome === "cancelled") return;
    calls.errors.set(code, (calls.errors.get(code) ?? 0) + 1);
    const { operation, model } = calls;
    const at = this.#now();
    this.#last = { operation, model, code, at };
    if (SERVICE_FAULTS.has(code)) {
      calls.failing = { count: 1 + (calls.failing?.count ?? 0), code, at };
    }
  }

  #measure(calls: Calls, latencyMs: number | null, answer: AnswerFigures | null): void {
    if (latencyMs !== null) calls.latencyMs.add(latencyMs);
    if (answer === null) return;
    const { queueMs, firstTokenMs, tokensPerSecond } = answer;
    if (queueMs !== null) calls.queueMs.add(queueMs);
    if (firstTokenMs !== null) calls.firstTokenMs.add(firstTokenMs);
    if (tokensPerSecond !== null) calls.tokensPerSecond.add(tokensPerSecond);
    calls.inputTokens = exactSum(calls.inputTokens, answer.inputTokens ?? 0);
    calls.outputTokens = exactSum(calls.outputTokens, answer.outputTokens ?? 0);
  }

  /** What failed before its model was known has been overcome, too. */
  #succeeded(calls: Calls): void {
    calls.failing = null;
    const unknown = this.#calls.get(JSON.stringify([calls.operation, null]));
    if (unknown !== undefined) unknown.failing = null;
  }
}

export const noTraffic = (): TrafficCounts => ({
  requests: 0,
  retries: 0,
  sentBytes: 0,
  receivedBytes: 0,
});

const TRAFFIC = ["requests", "retries", "sentBytes", "receivedBytes"] as const;

const trafficEntries = (traffic: Traffic) => TRAFFIC.map((name) => [name, traffic[name]] as const);

/** The sum stays a safe integer, whatever a service counts. */
function exactSum(sum: number, count: number): number {
  if (!Number.isSafeInteger(count) || count < 0) return sum;
  return Math.min(sum + count, Number.MAX_SAFE_INTEGER);
}
