import {
  CircuitState as BreakerState,
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  ConsecutiveBreaker,
  circuitBreaker,
  DelegateBackoff,
  handleWhenResult,
} from "cockatiel";
import {
  FoundryError,
  formatDuration,
  isCancellation,
  type MetricsRecorder,
  SEARCHED_OF_MESSAGE,
  toFoundryError,
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
 *
 * The loop is ours and not cockatiel's: its pause cannot be aborted, and its timer either holds the
 * process for as long or lets it end in the middle of a call.
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
      if (!isRetried(error, attempt)) throw error;
      if (number >= most) {
        if (number > 1) onUsedUp?.(error);
        throw error;
      }
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

const FAILURES = 5;
const LOOPBACK_PROBE_MS = 500;
const REMOTE_PROBE_MS = 1_000;
const LONGEST_PROBE_MS = 30_000;

const STATES: Readonly<Record<BreakerState, CircuitState>> = {
  [BreakerState.Closed]: "closed",
  [BreakerState.Open]: "open",
  [BreakerState.HalfOpen]: "half-open",
  [BreakerState.Isolated]: "open",
};

/** A request on its way, as far as the circuit looks at it. */
export interface Watched {
  /** The head of the answer. */
  readonly head: Promise<{ readonly status: number }>;
  /** Resolves when the connection stands. */
  readonly sent: Promise<void>;
}

/** What sending one request said about the endpoint. */
interface Sent<E> {
  readonly exchange: E;
  readonly failure: FoundryError | null;
}

/** A probe that its caller gave up: neither proof for the endpoint nor against it. */
class ProbeAbandoned extends Error {
  constructor(readonly error: FoundryError) {
    super(error.message);
  }
}

/**
 * The circuit breaker of one endpoint. It watches a request only until its answer begins: what a
 * model does after that says nothing about whether the endpoint is there.
 */
export class Circuit {
  readonly #baseUrl: string;
  readonly #firstProbeMs: number;
  readonly #breaker: CircuitBreakerPolicy;
  #nextProbeAt = 0;
  #lastFailure: FoundryError | null = null;

  constructor(
    baseUrl: string,
    isLoopback: boolean,
    options: CircuitOptions = {},
    log: Logger = silentLogger,
    changes: MetricsRecorder["circuit"] = { opened: 0, closed: 0 },
  ) {
    this.#baseUrl = baseUrl;
    const firstMs = options.probeAfterMs ?? (isLoopback ? LOOPBACK_PROBE_MS : REMOTE_PROBE_MS);
    const longestMs = isLoopback ? firstMs : Math.max(firstMs, LONGEST_PROBE_MS);
    this.#firstProbeMs = firstMs;
    const policy = handleWhenResult(isEndpointFailure).orType(ProbeAbandoned);
    this.#breaker = circuitBreaker(policy, {
      breaker: new ConsecutiveBreaker(options.failures ?? FAILURES),
      halfOpenAfter: new DelegateBackoff(({ attempt }) => {
        const waitMs = Math.min(longestMs, firstMs * 2 ** (attempt - 1));
        this.#nextProbeAt = Date.now() + waitMs;
        return waitMs;
      }),
    });
    let openedAt: number | null = null;
    // A probe that fails opens it once more.
    this.#breaker.onBreak(() => {
      if (openedAt !== null) return;
      openedAt = performance.now();
      log.warn({ endpoint: baseUrl }, "circuit opened");
      changes.opened += 1;
    });
    this.#breaker.onReset(() => {
      const ms = openedAt === null ? null : Math.round(performance.now() - openedAt);
      openedAt = null;
      log.warn({ endpoint: baseUrl, ms }, "circuit closed");
      changes.closed += 1;
    });
  }

  get state(): CircuitState {
    return STATES[this.#breaker.state];
  }

  /** Time until a request is let through again; `null` while all are. */
  get nextProbeInMs(): number | null {
    return this.state === "closed" ? null : Math.max(0, this.#nextProbeAt - Date.now());
  }

  /** Refuses with `CIRCUIT_OPEN` what {@link pass} would refuse now. */
  throwIfOpen(): void {
    // cockatiel lets the others wait for the probe. Ours may take long, and they want an answer.
    if (this.state === "half-open" || (this.nextProbeInMs ?? 0) > 0) throw this.#refusal();
  }

  /** Sends a request, unless the circuit is open: then `CIRCUIT_OPEN`, without a byte sent. */
  async pass<E extends Watched>(send: () => E): Promise<E> {
    this.throwIfOpen();
    const { state } = this;
    const isProbe = state === "open";
    try {
      const sent = await this.#breaker.execute(() => this.#watch(send(), isProbe));
      if (sent.failure !== null) this.#lastFailure = sent.failure;
      return sent.exchange;
    } catch (thrown) {
      if (thrown instanceof ProbeAbandoned) throw thrown.error;
      // The two clocks may differ by a millisecond.
      if (thrown instanceof BrokenCircuitError) throw this.#refusal();
      throw thrown;
    }
  }

  async #watch<E extends Watched>(exchange: E, isProbe: boolean): Promise<Sent<E>> {
    try {
      const head = await (isProbe ? this.#headOrTimeout(exchange) : exchange.head);
      return { exchange, failure: head === null ? null : gatewayFailure(head.status) };
    } catch (thrown) {
      const error = toFoundryError(thrown);
      if (!isCancellation(error)) {
        return { exchange, failure: isUnreachable(error) ? error : null };
      }
      // To cockatiel an error it does not handle is neutral while closed, but closes a half-open
      // circuit: an abandoned probe is one that it handles, so that the circuit opens again.
      throw isProbe ? new ProbeAbandoned(error) : error;
    }
  }

  /**
   * The head, or `null` when the endpoint took the request and has not failed for a while: it is
   * there, it is only slow, and the others need not fail for the minutes that a load takes.
   */
  async #headOrTimeout(exchange: Watched) {
    let timer: NodeJS.Timeout | undefined;
    const timeout = exchange.sent.then(
      () =>
        new Promise<null>((resolve) => {
          timer = setTimeout(resolve, this.#firstProbeMs, null);
        }),
    );
    try {
      return await Promise.race([exchange.head, timeout]);
    } finally {
      clearTimeout(timer);
    }
  }

  #refusal(): FoundryError {
    const waitMs = this.nextProbeInMs ?? 0;
    const why = this.#lastFailure === null ? "" : ` Last time: ${this.#lastFailure.message}`;
    const when =
      this.state === "half-open"
        ? "one request is finding out right now whether it is back"
        : `it is asked again in ${formatDuration(waitMs)}`;
    return new FoundryError("CIRCUIT_OPEN", `${this.#baseUrl} failed repeatedly; ${when}.${why}`, {
      action: this.#lastFailure?.action ?? "Check that the service is running, then try again.",
      retryable: true,
      retryAfterMs: this.state === "half-open" ? this.#firstProbeMs : waitMs,
      ...(this.#lastFailure === null ? {} : { cause: this.#lastFailure }),
    });
  }
}

function isEndpointFailure(result: unknown): boolean {
  return typeof result === "object" && result !== null && "failure" in result
    ? result.failure !== null
    : false;
}
