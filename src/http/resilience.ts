import {
  FoundryError,
  formatDuration,
  isCancellation,
  type MetricsRecorder,
  SEARCHED_OF_MESSAGE,
  TIMED_OUT,
  toFoundryError,
  waitFor,
} from "../lib/index.js";
import { type Logger, silentLogger } from "../log.js";
import type { CallScope } from "./call-scope.js";
import { saysLoading } from "./error-text.js";
import { gatewayFailure, isRefused, isUnreachable } from "./failure.js";
import type { CircuitOptions, CircuitState, HttpAnswer, RetryOptions } from "./types.js";

const RETRIES = 3;
const INITIAL_PAUSE_MS = 200;
const MAX_PAUSE_MS = 10_000;

const RETRIED_STATUSES: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504, 529]);

/** Whether a status says "not now" for every request. 529 is what Anthropic, and routers to it, answer. */
export const isBusy = (status: number | null): boolean =>
  status !== null && status !== 500 && RETRIED_STATUSES.has(status);

/** A busy answer to a request that accepts any status. It is retried as an error would be; the last one is returned. */
export class BusyAnswer extends FoundryError {
  constructor(readonly answer: HttpAnswer) {
    const { status, body } = answer;
    super("SERVICE_BUSY", `It answered with ${status}.`, {
      action: "Try again in a while.",
      // A load is waited for by a limit of its own, which is longer than the retries.
      retryable: !(status === 503 && saysLoading(body.slice(0, SEARCHED_OF_MESSAGE))),
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
  /** Whether a connection stood, and the request was on its way. */
  wasSent: boolean;
  /** The status of the answer; `null` before there is one. */
  status: number | null;
  retryAfterMs: number | null;
  /** The id of the request in the service's log. */
  requestId: string | null;
}

/**
 * Whether the transport sends the same request again.
 * An attempt ends with the first token of a stream, so no error after that comes here.
 */
export function isRetried(
  error: FoundryError,
  attempt: Pick<Attempt, "method" | "isStream" | "status">,
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
  // The answer to a GET broke off, whatever its status.
  if (method === "GET" && error.code === "SERVICE_UNREACHABLE") return true;
  // An error event before the first token.
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
  /** Called with the last error of a request that was sent as often as is allowed. */
  readonly onUsedUp?: (error: FoundryError) => void;
}

/**
 * Makes attempts until one succeeds, the rule says no, or they are used up. Every error that leaves
 * carries how many there were.
 */
export async function withRetries<T>(
  call: Call,
  options: RetryOptions,
  makeAttempt: (attempt: Attempt) => Promise<T>,
): Promise<T> {
  const { scope, retry, method, isStream, retriesRefusals = true, onUsedUp } = call;
  const most = retry ? 1 + (options.retries ?? RETRIES) : 1;
  let last: FoundryError | null = null;
  let wasSent = false;
  for (let number = 1; ; number += 1) {
    const unsent = { wasSent: false, status: null, retryAfterMs: null, requestId: null };
    const attempt: Attempt = { number, method, isStream, ...unsent };
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
      wasSent ||= attempt.wasSent;
      // An error of a certificate stays until a person corrects something.
      error.neverSent = !wasSent && error.retryable;
      error.requestId ??= attempt.requestId;
      last = error;
      if (!retriesRefusals && isRefused(error)) throw error;
      wantedMs = attempt.retryAfterMs ?? error.retryAfterMs;
      if (!isRetried(error, attempt)) throw error;
      if (number >= most) {
        if (number > 1) onUsedUp?.(error);
        throw error;
      }
      // Asked earlier, it would only refuse again. The error says how long to wait.
      if (wantedMs !== null && wantedMs > (options.maxPauseMs ?? MAX_PAUSE_MS)) throw error;
    }
    await scope.pause(pauseMs(number, wantedMs, options)).catch((ended: FoundryError) => {
      ended.attempts = number;
      throw ended;
    });
  }
}

const FAILURES = 5;
const LOOPBACK_PROBE_MS = 500;
const REMOTE_PROBE_MS = 1_000;
const LONGEST_PROBE_MS = 30_000;

/** A request on its way, as far as the circuit looks at it. */
export interface Watched {
  /** The head of the answer. */
  readonly head: Promise<{ readonly status: number }>;
  /** Resolves when the connection stands. */
  readonly sent: Promise<void>;
}

/**
 * The circuit breaker of one endpoint. It watches a request only until its answer begins: what a
 * model does after that says nothing about whether the endpoint is there.
 */
export class Circuit {
  readonly #baseUrl: string;
  readonly #mostFailures: number;
  readonly #firstProbeMs: number;
  readonly #longestProbeMs: number;
  readonly #log: Logger;
  readonly #changes: MetricsRecorder["circuit"];
  /** Failures in a row. */
  #failures = 0;
  /** Since when it is not closed, and why; `null` while it is. All times are by `performance.now()`. */
  #opened: { readonly at: number; lastFailure: FoundryError } | null = null;
  #nextProbeAt = 0;
  #failedProbes = 0;
  #isProbing = false;

  constructor(
    baseUrl: string,
    isLoopback: boolean,
    options: CircuitOptions = {},
    log: Logger = silentLogger,
    changes: MetricsRecorder["circuit"] = { opened: 0, closed: 0 },
  ) {
    this.#baseUrl = baseUrl;
    this.#mostFailures = options.failures ?? FAILURES;
    const firstMs = options.probeAfterMs ?? (isLoopback ? LOOPBACK_PROBE_MS : REMOTE_PROBE_MS);
    this.#firstProbeMs = firstMs;
    this.#longestProbeMs = isLoopback ? firstMs : Math.max(firstMs, LONGEST_PROBE_MS);
    this.#log = log;
    this.#changes = changes;
  }

  get state(): CircuitState {
    if (this.#opened === null) return "closed";
    return this.#isProbing ? "half-open" : "open";
  }

  /** Time until a request is let through again; `null` while all are. */
  get nextProbeInMs(): number | null {
    if (this.#opened === null) return null;
    return Math.max(0, Math.ceil(this.#nextProbeAt - performance.now()));
  }

  /** Refuses with `CIRCUIT_OPEN` what {@link pass} would refuse now. */
  throwIfOpen(): void {
    if (this.#opened === null) return;
    const waitMs = this.nextProbeInMs ?? 0;
    if (this.#isProbing || waitMs > 0) throw this.#refusal(this.#opened.lastFailure, waitMs);
  }

  /** Sends a request, unless the circuit is open: then `CIRCUIT_OPEN`, without a byte sent. */
  async pass<E extends Watched>(send: () => E): Promise<E> {
    this.throwIfOpen();
    const isProbe = this.#opened !== null;
    this.#isProbing = isProbe;
    try {
      const exchange = send();
      const head = await (isProbe ? this.#headOrTimeout(exchange) : exchange.head);
      this.#note(head === TIMED_OUT ? null : gatewayFailure(head.status), isProbe);
      return exchange;
    } catch (thrown) {
      const error = toFoundryError(thrown);
      if (!isCancellation(error)) this.#note(isUnreachable(error) ? error : null, isProbe);
      // A probe that its caller gave up is neither proof for the endpoint nor against it.
      else if (isProbe) this.#planProbe();
      throw error;
    }
  }

  /**
   * The head, or `TIMED_OUT` when the endpoint took the request and has not failed for a while: it is
   * there, it is only slow, and the others need not fail for the minutes that a load takes.
   */
  #headOrTimeout({ head, sent }: Watched) {
    const withinMs = this.#firstProbeMs;
    return Promise.race([head, sent.then(() => waitFor(head, { withinMs }))]);
  }

  /** @param failure `null`: the endpoint is there. */
  #note(failure: FoundryError | null, isProbe: boolean): void {
    if (this.#opened !== null && failure !== null) this.#opened.lastFailure = failure;
    // A request that was sent before the circuit opened says nothing about now.
    if (this.#opened !== null && !isProbe) return;
    this.#failures = failure === null ? 0 : this.#failures + 1;
    if (failure === null) this.#close();
    else if (isProbe || this.#failures >= this.#mostFailures) this.#open(failure);
  }

  /** After a probe, it stays open. */
  #open(lastFailure: FoundryError): void {
    this.#planProbe();
    if (this.#opened !== null) return;
    this.#opened = { at: performance.now(), lastFailure };
    this.#changes.opened += 1;
    this.#log.warn({ endpoint: this.#baseUrl }, "circuit opened");
  }

  #planProbe(): void {
    this.#failedProbes = this.#isProbing ? this.#failedProbes + 1 : 0;
    this.#isProbing = false;
    const waitMs = this.#firstProbeMs * 2 ** this.#failedProbes;
    this.#nextProbeAt = performance.now() + Math.min(this.#longestProbeMs, waitMs);
  }

  #close(): void {
    if (this.#opened === null) return;
    const ms = Math.round(performance.now() - this.#opened.at);
    this.#opened = null;
    this.#isProbing = false;
    this.#changes.closed += 1;
    this.#log.warn({ endpoint: this.#baseUrl, ms }, "circuit closed");
  }

  #refusal(cause: FoundryError, waitMs: number): FoundryError {
    const when = this.#isProbing
      ? "one request is finding out right now whether it is back"
      : `it is asked again in ${formatDuration(waitMs)}`;
    const message = `${this.#baseUrl} failed repeatedly; ${when}. Last time: ${cause.message}`;
    return new FoundryError("CIRCUIT_OPEN", message, {
      action: cause.action,
      retryable: true,
      retryAfterMs: this.#isProbing ? this.#firstProbeMs : waitMs,
      cause,
    });
  }
}
