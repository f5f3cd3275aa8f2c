import type { FoundryError, MeteredTrace, MetricsRecorder } from "../lib/index.js";
import type { Logger } from "../log.js";

/** Time limits of one attempt of a request, in milliseconds. One that is absent does not apply. */
export interface PhaseLimits {
  /** From sending to the first byte of the answer; of a stream, to its first event. */
  readonly firstByteMs?: number;
  /**
   * Longest silence after that: between two bytes of a body; in a stream, without a part of the answer by
   * {@link StreamSpec.read}. A service that only says that it is alive has stalled, too.
   */
  readonly silenceMs?: number;
  /** From sending to the last byte. */
  readonly wholeMs?: number;
}

/** An answer that is not 2xx, unchanged. The dialect gives it an error code. */
export interface HttpFailure {
  readonly status: number;
  /** What the body says went wrong, by {@link errorWordsOf}: one line, never markup. */
  readonly message: string;
  /** The types and codes in the body. */
  readonly kinds: readonly string[];
  /** The body, as far as it was read. For the log. */
  readonly body: string;
  /** Why the body is not whole, where it broke off or fell silent. */
  readonly brokeOff: FoundryError | null;
  /** Parsed `Retry-After`, in milliseconds. */
  readonly retryAfterMs: number | null;
}

export interface RequestSpec {
  readonly method: "GET" | "POST";
  /** Sent unchanged: the dialect encodes it, since C2 does not decode. Begins with `/`. */
  readonly path: string;
  /** Sent as JSON. Never with a GET: C2 would read it as the next request. */
  readonly body?: unknown;
  readonly limits: PhaseLimits;
  readonly signal?: AbortSignal | undefined;
  /** Sent in the headers, as far as they are short enough for the service. It has the counts of its call. */
  readonly trace?: MeteredTrace | undefined;
  /** Default `true`: retried as the policy allows. `false`: sent once, and past the circuit breaker. */
  readonly retry?: boolean;
  /** Refuse to send a request line and headers longer than this, in bytes. Default: no limit. */
  readonly headLimitBytes?: number | undefined;
  /** Largest body, or event of a stream, that is read, in bytes. Default: 8 MiB for a GET, else 32 MiB. */
  readonly maxBodyBytes?: number;
  /**
   * Makes the error of an answer that is not 2xx: only the dialect knows what the service means by a status.
   * `null`, for probes: answers of any status are handed back. One that says that the service is busy (408,
   * 429, 502 to 504, 529) is handed back only after the retries.
   */
  readonly toError: ((failure: HttpFailure) => FoundryError) | null;
}

export interface HttpAnswer {
  readonly status: number;
  /** Lower-case names; a header that came twice is joined with `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** How often it was sent. */
  readonly attempts: number;
  /** The id of the request in the service's log, for errors that are found in the body. */
  readonly requestId: string | null;
}

/** One event of a stream: the joined `data:` lines, and the `event:` name where there was one. */
export interface StreamEvent {
  readonly data: string;
  readonly event: string | null;
  /** The data as JSON, where it was parsed to find the end of the event. `jsonOf` reads it. */
  readonly value?: unknown;
}

/** What was read in an event. */
export interface ReadEvent<T> {
  readonly item: T;
  /** Whether it brings a part of the answer. */
  readonly isPart: boolean;
}

export interface StreamSpec<T> extends RequestSpec {
  /**
   * Reads an event, once. The first part of the answer must not be lost: until then a failure is
   * retried, afterwards never. Only a part ends a silence. May throw a `FoundryError` for an error
   * inside a 200.
   */
  readonly read: (event: StreamEvent) => ReadEvent<T>;
  /** Called when an answer begins: the events of one before it are no part of the answer. */
  readonly onAnswer?: (() => void) | undefined;
}

/** What was read in the events of a stream. */
export interface EventStream<T> extends AsyncIterable<T> {
  readonly attempts: number;
  /** The id of the request in the service's log, for errors that are found in its events. */
  readonly requestId: string | null;
}

export interface RetryOptions {
  /** Retries after the first attempt. Default 3. */
  readonly retries?: number;
  /** Longest first pause, in milliseconds; doubles with each retry, with full jitter. Default 200. */
  readonly initialPauseMs?: number;
  /** Longest pause. After a longer `Retry-After` the request is not sent again. Default 10 000. */
  readonly maxPauseMs?: number;
}

export interface CircuitOptions {
  /** Failures of the endpoint in a row that open the circuit. Default 5. */
  readonly failures?: number;
  /**
   * Time until one request is let through to see whether it is back. Default 500 on loopback, where
   * a probe is cheap; elsewhere 1 000, doubling up to 30 000.
   */
  readonly probeAfterMs?: number;
}

export type CircuitState = "closed" | "open" | "half-open";

export interface TransportOptions {
  /** `http://host:port`, perhaps with a path; no slash at the end. */
  readonly baseUrl: string;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default 2 000. */
  readonly connectMs?: number;
  readonly retry?: RetryOptions | undefined;
  /**
   * Default `true`. `false` where the caller searches for the service after a refused connection,
   * instead of retrying at the same address.
   */
  readonly retriesRefusals?: boolean;
  readonly circuit?: CircuitOptions | undefined;
  /** Counts changes of the circuit, and requests without a call. Default: a new one. */
  readonly metrics?: Pick<MetricsRecorder, "background" | "circuit"> | undefined;
  readonly log?: Logger | undefined;
}
