import {
  CircuitState as BreakerState,
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  ConsecutiveBreaker,
  circuitBreaker,
  DelegateBackoff,
  handleWhenResult,
} from "cockatiel";
import { FoundryError, formatDuration, toFoundryError } from "../lib/index.js";
import { isOwnShortage } from "./failure.js";
import type { CircuitOptions, CircuitState } from "./types.js";

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

  constructor(baseUrl: string, isLoopback: boolean, options: CircuitOptions = {}) {
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
      const head = await (isProbe ? this.#headOrPatience(exchange) : exchange.head);
      return { exchange, failure: head === null ? null : gatewayFailure(head.status) };
    } catch (thrown) {
      const error = toFoundryError(thrown);
      if (error.code !== "CANCELLED" && error.code !== "CLIENT_CLOSED") {
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
  async #headOrPatience(exchange: Watched) {
    let timer: NodeJS.Timeout | undefined;
    const patience = exchange.sent.then(
      () =>
        new Promise<null>((resolve) => {
          timer = setTimeout(resolve, this.#firstProbeMs, null);
        }),
    );
    try {
      return await Promise.race([exchange.head, patience]);
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

/** Not a first-byte limit: a service that loads a model is silent for minutes and well. */
function isUnreachable(error: FoundryError): boolean {
  if (isOwnShortage(error)) return false;
  return error.code === "SERVICE_UNREACHABLE" || error.phase === "connect";
}

/** A gateway in front of the service says that there is none behind it. */
function gatewayFailure(status: number): FoundryError | null {
  if (status !== 502 && status !== 503 && status !== 504) return null;
  return new FoundryError("SERVICE_ERROR", `It answered with ${status}.`, {
    action: "Check the service behind the gateway.",
    status,
  });
}
