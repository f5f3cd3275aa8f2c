import { FoundryError, toFoundryError } from "../lib/index.js";
import type { CallScope } from "./call-scope.js";
import { isRefused } from "./failure.js";
import type { HttpAnswer, RetryOptions } from "./types.js";

const RETRIES = 3;
const INITIAL_PAUSE_MS = 200;
const MAX_PAUSE_MS = 10_000;

const RETRIED_STATUSES: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

/** Whether a status says "not now" for every request. */
export const isBusy = (status: number): boolean => status !== 500 && RETRIED_STATUSES.has(status);

/** Such an answer where any status will do: retried as an error would be, and the last is handed back. */
export class BusyAnswer extends FoundryError {
  constructor(readonly answer: HttpAnswer) {
    const { status } = answer;
    super("SERVICE_BUSY", `It answered with ${status}.`, {
      action: "Try again in a while.",
      retryable: true,
      status,
    });
  }
}

/** The progress of one attempt. The function that makes the attempt keeps it up to date. */
export interface Attempt {
  /** 1 for the first. */
  readonly number: number;
  readonly method: "GET" | "POST";
  readonly isStream: boolean;
  /** The status of the answer; `null` before there is one. */
  status: number | null;
  retryAfterMs: number | null;
  /** The id of the request in the service's log. */
  requestId: string | null;
}

/**
 * Whether the same request is sent again. THE rule: there is no other retry below or above it.
 * An attempt is over with the first token of a stream, so nothing after that ever comes here.
 */
export function isRetried(
  error: FoundryError,
  attempt: Omit<Attempt, "number" | "requestId">,
): boolean {
  const { method, isStream, status } = attempt;
  switch (error.code) {
    case "CANCELLED":
    case "CLIENT_CLOSED":
    case "CIRCUIT_OPEN":
      return false;
    case "STREAM_INTERRUPTED":
      // It was at work on this request: a service that died of a prompt dies of it again (#818).
      return false;
    case "TIMEOUT":
      // While connecting nothing was sent. After that a POST may still be at work on the device.
      return error.phase === "connect" || (error.phase === "first_byte" && method === "GET");
  }
  // The dialect decides: a 500 may be a full context or a failed load.
  if (!error.retryable) return false;
  // Refused, or reset before any byte.
  if (status === null) return true;
  // An error event before the first token, or the answer to a GET that broke off.
  if (status >= 200 && status < 300) return isStream || method === "GET";
  return RETRIED_STATUSES.has(status);
}

/** The pause before a retry: what the service asked for, or up to the bound with full jitter. */
export function pauseMs(
  retry: number,
  retryAfterMs: number | null,
  { initialPauseMs = INITIAL_PAUSE_MS, maxPauseMs = MAX_PAUSE_MS }: RetryOptions,
  random: () => number = Math.random,
): number {
  if (retryAfterMs !== null) return Math.min(retryAfterMs, maxPauseMs);
  return random() * Math.min(maxPauseMs, initialPauseMs * 2 ** (retry - 1));
}

interface Call {
  readonly method: "GET" | "POST";
  readonly isStream: boolean;
  /** `false`: one attempt. */
  readonly retry: boolean;
  readonly scope: CallScope;
  /** Default `true`. */
  readonly retriesRefusals?: boolean;
}

/**
 * Makes attempts until one succeeds, the rule says no, or they are used up. Every error that leaves
 * carries how many there were.
 *
 * The loop is ours and not cockatiel's: its pause cannot be aborted, and its timer either holds the
 * process for as long or lets it end in the middle of a call.
 */
export async function withRetries<T>(
  call: Call,
  options: RetryOptions,
  makeAttempt: (attempt: Attempt) => Promise<T>,
): Promise<T> {
  const { scope, retry, method, isStream, retriesRefusals = true } = call;
  const most = retry ? 1 + (options.retries ?? RETRIES) : 1;
  let last: FoundryError | null = null;
  let wasSent = false;
  for (let number = 1; ; number += 1) {
    const unanswered = { status: null, retryAfterMs: null, requestId: null };
    const attempt: Attempt = { number, method, isStream, ...unanswered };
    let wantedMs: number | null;
    try {
      return await makeAttempt(attempt);
    } catch (thrown) {
      const error = toFoundryError(thrown);
      if (error.code === "CIRCUIT_OPEN" && last !== null) {
        error.attempts = last.attempts;
        // Other calls found the service gone: the caller should search for it now.
        if (!retriesRefusals && last.code === "SERVICE_UNREACHABLE") throw error;
        // The circuit opened between two attempts: what failed is the answer, not that we know it.
        throw last;
      }
      error.attempts = error.code === "CIRCUIT_OPEN" ? 0 : number;
      wasSent ||= error.code !== "CIRCUIT_OPEN" && !isRefused(error);
      error.neverSent = !wasSent;
      error.requestId ??= attempt.requestId;
      last = error;
      if (!retriesRefusals && isRefused(error)) throw error;
      wantedMs = attempt.retryAfterMs ?? error.retryAfterMs;
      if (number >= most || !isRetried(error, attempt)) throw error;
      // Asked earlier, it would only refuse again. The error says how long to wait.
      if (wantedMs !== null && wantedMs > (options.maxPauseMs ?? MAX_PAUSE_MS)) throw error;
    }
    await pauseBeforeRetry(scope, number, pauseMs(number, wantedMs, options));
  }
}

async function pauseBeforeRetry(scope: CallScope, attempts: number, ms: number): Promise<void> {
  try {
    await scope.pause(ms);
  } catch (thrown) {
    if (thrown instanceof FoundryError) thrown.attempts = attempts;
    throw thrown;
  }
}
