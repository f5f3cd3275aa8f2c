import type { ErrorCode } from "./errors.js";
import type { Distribution } from "./histogram.js";

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

/** {@link Traffic} while it is counted. */
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

/** A call at its end. */
export interface EndedCall {
  readonly operation: Operation;
  readonly model: string | null;
  readonly outcome: Outcome;
  readonly code: ErrorCode | null;
  /** Milliseconds since 1970. */
  readonly endedAt: number;
  readonly durationMs: number;
  readonly traffic: Traffic;
  readonly answer: AnswerFigures | null;
  /** Of the caller. */
  readonly traceparent: string | undefined;
}

/** Completions of one model that failed one after the other, the latest a short time ago. */
export interface Failing {
  readonly model: string | null;
  readonly count: number;
  readonly code: ErrorCode;
  readonly agoMs: number;
}
