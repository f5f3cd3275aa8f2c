import type { ErrorCode } from "./errors.js";
import { type Distribution, Histogram } from "./histogram.js";
import { MOST_MODELS_MEASURED } from "./limits.js";
import type {
  AnswerFigures,
  EndedCall,
  Failing,
  HealthTotals,
  LastError,
  Operation,
  OperationMetrics,
  Outcome,
  RecordedMetrics,
  TrafficCounts,
} from "./metrics-types.js";

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
  /** Of one completion. */
  readonly promptTokens = new Histogram();
  readonly answerTokens = new Histogram();
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
  /** Called at the end of each call. */
  onEnded: ((call: EndedCall) => void) | null = null;
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
  begin(operation: Operation | null, traceparent?: string): OpenCall {
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
        const durationMs = this.#now() - since;
        this.#count(calls, outcome, code, durationMs, answer ?? null);
        for (const name of TRAFFIC) calls.traffic[name] += traffic[name];
        const { model } = call;
        const ended = { operation, model, outcome, code, durationMs, traffic, traceparent };
        this.onEnded?.({ ...ended, endedAt: Date.now(), answer: answer ?? null });
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
    // An answer of the cache says nothing about the service.
    if (outcome === "completed" && answer?.cached !== true) this.#succeeded(calls);
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
    calls.latencyMs.add(latencyMs);
    if (answer === null) return;
    const { inputTokens, outputTokens } = answer;
    calls.queueMs.add(answer.queueMs);
    calls.firstTokenMs.add(answer.firstTokenMs);
    calls.tokensPerSecond.add(answer.tokensPerSecond);
    calls.promptTokens.add(inputTokens);
    calls.answerTokens.add(outputTokens);
    calls.inputTokens = exactSum(calls.inputTokens, inputTokens ?? 0);
    calls.outputTokens = exactSum(calls.outputTokens, outputTokens ?? 0);
  }

  /** What failed before its model was known has been overcome, too. */
  #succeeded(calls: Calls): void {
    calls.failing = null;
    const unknown = this.#calls.get(JSON.stringify([calls.operation, null]));
    if (unknown !== undefined) unknown.failing = null;
  }
}

const noTraffic = (): TrafficCounts => ({
  requests: 0,
  retries: 0,
  sentBytes: 0,
  receivedBytes: 0,
});

const TRAFFIC = ["requests", "retries", "sentBytes", "receivedBytes"] as const;

/** The sum stays a safe integer, whatever a service counts. */
function exactSum(sum: number, count: number): number {
  if (!Number.isSafeInteger(count) || count < 0) return sum;
  return Math.min(sum + count, Number.MAX_SAFE_INTEGER);
}
