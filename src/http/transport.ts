import { STATUS_CODES } from "node:http";
import {
  closedError,
  type FoundryError,
  isLoopback,
  LONGEST_REDIRECT,
  MAX_LIST_BYTES,
  MetricsRecorder,
  MOST_REDIRECTS,
  printable,
  SecretMask,
  SHORT_REQUEST_MS,
  type TrafficCounts,
  toFoundryError,
  traceFields,
} from "../lib/index.js";
import { type Logger, silentLogger } from "../log.js";
import { redirectedPath, redirectTarget, requestIdOf, retryAfterMsOf } from "./answer-headers.js";
import { readBody, readFailureBody, readPieces } from "./body.js";
import { CallScope } from "./call-scope.js";
import { Connections } from "./connections.js";
import { type Endpoint, parseEndpoint } from "./endpoint.js";
import { errorWordsOf } from "./error-text.js";
import { OpenEventStream } from "./event-stream.js";
import { Exchange, type Head } from "./exchange.js";
import { type Attempt, BusyAnswer, Circuit, isBusy, withRetries } from "./resilience.js";
import type {
  CircuitState,
  EventStream,
  HttpAnswer,
  HttpFailure,
  RequestSpec,
  RetryOptions,
  StreamSpec,
  TransportOptions,
} from "./types.js";
import { checkedHeaders, tracedRequest, type WireRequest } from "./wire-request.js";

const CONNECT_MS = 2_000;
const MAX_BODY_BYTES = 32 * 1024 * 1024;

/** One call: what is asked, and what all its attempts share. */
interface Call {
  readonly spec: RequestSpec;
  readonly request: WireRequest;
  readonly scope: CallScope;
  readonly isStream: boolean;
  /** Its ids, in each line of the log. */
  readonly ids: ReturnType<typeof traceFields>;
}

/** An answer that has begun. */
interface Answer {
  readonly exchange: Exchange;
  readonly head: Head;
}

/**
 * HTTP to one endpoint: pooled connections, a time limit for each phase, retries and a circuit
 * breaker. Whatever goes wrong is thrown as a `FoundryError`.
 *
 * @example
 * const transport = new HttpTransport({ baseUrl: "http://127.0.0.1:5273" });
 * const { body } = await transport.request({
 *   method: "GET", path: "/v1/models", limits: {}, toError: null,
 * });
 */
export class HttpTransport {
  readonly baseUrl: string;
  /** What it sends with every request and no text may show; for the words of an answer. */
  readonly secrets: SecretMask;

  readonly #endpoint: Endpoint;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #retry: RetryOptions;
  readonly #retriesRefusals: boolean;
  readonly #log: Logger;
  readonly #background: TrafficCounts;
  readonly #connections: Connections;
  readonly #circuit: Circuit;
  readonly #calls = new Set<CallScope>();
  #isClosed = false;

  constructor(options: TransportOptions) {
    this.#endpoint = parseEndpoint(options.baseUrl);
    this.baseUrl = this.#endpoint.baseUrl;
    this.#headers = checkedHeaders(options.headers ?? {});
    this.secrets = SecretMask.ofHeaders(this.#headers);
    this.#retry = options.retry ?? {};
    this.#retriesRefusals = options.retriesRefusals ?? true;
    this.#log = options.log ?? silentLogger;
    this.#connections = new Connections(this.#endpoint.origin, options.connectMs ?? CONNECT_MS);
    const { circuit, metrics = new MetricsRecorder() } = options;
    this.#background = metrics.background;
    const isNear = isLoopback(this.baseUrl);
    this.#circuit = new Circuit(this.baseUrl, isNear, circuit, this.#log, metrics.circuit);
  }

  /** The circuit breaker as it stands. `nextProbeInMs` is `null` while it is closed. */
  get circuit(): { readonly state: CircuitState; readonly nextProbeInMs: number | null } {
    return { state: this.#circuit.state, nextProbeInMs: this.#circuit.nextProbeInMs };
  }

  /** How often a connection was dropped, also for not being used: another server may answer next. */
  get drops(): number {
    return this.#connections.drops;
  }

  /** Whether no call is on its way. */
  get isIdle(): boolean {
    return this.#calls.size === 0;
  }

  /** Sends a request and reads the whole answer. */
  async request(spec: RequestSpec): Promise<HttpAnswer> {
    const call = this.#open(spec, false);
    try {
      return await this.#attempts(call, async (attempt) => {
        const { exchange, head } = await this.#answered(call, attempt);
        const body = await readBody(exchange, maxBytesOf(spec), silenceWatch(call, exchange));
        this.#log.trace({ ...call.ids, path: spec.path, body }, "answer");
        const { status, headers } = head;
        const { number: attempts, requestId } = attempt;
        const answer = { status, headers, body, attempts, requestId };
        if (isBusy(status)) throw new BusyAnswer(answer);
        return answer;
      });
    } catch (thrown) {
      if (thrown instanceof BusyAnswer) return thrown.answer;
      throw thrown;
    } finally {
      call.scope.dispose();
    }
  }

  /**
   * Sends a request and resolves at the start of its stream. Read it, or end it with the signal:
   * an unread stream stays open until its limits or {@link close}.
   */
  async stream<T>(spec: StreamSpec<T>): Promise<EventStream<T>> {
    return this.#begun(this.#open(spec, true), async (call, answer, attempt) => {
      spec.onAnswer?.();
      const stream = new OpenEventStream({
        ...answer,
        spec,
        scope: call.scope,
        maxBytes: maxBytesOf(spec),
        attempt,
        baseUrl: this.baseUrl,
      });
      await stream.readAhead();
      return stream;
    });
  }

  /**
   * Sends a request and resolves when its answer begins, with the pieces of its body as they arrive, cut
   * anywhere but within a character. What breaks off after that is thrown while they are read. Leaving
   * the loop early destroys the connection. The length has no limit.
   */
  async text(spec: RequestSpec): Promise<AsyncIterable<string>> {
    return this.#begun(this.#open(spec, false), async (call, { exchange }) =>
      readPieces(exchange, silenceWatch(call, exchange)),
    );
  }

  /** The result of a call that goes on after the beginning of its answer, until that is over. */
  async #begun<T>(
    call: Call,
    resultOf: (call: Call, answer: Answer, attempt: Attempt) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#attempts(call, async (attempt) => {
        const answer = await this.#answered(call, attempt);
        const result = await resultOf(call, answer, attempt);
        void answer.exchange.over.then(() => call.scope.dispose());
        return result;
      });
    } catch (thrown) {
      call.scope.dispose();
      throw thrown;
    }
  }

  /** Ends everything in flight with `CLIENT_CLOSED`; so does every later call. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const scope of [...this.#calls]) scope.end(closedError());
    this.#connections.close();
  }

  #open(spec: RequestSpec, isStream: boolean): Call {
    if (this.#isClosed) throw closedError();
    const request = tracedRequest(this.#endpoint, this.#headers, spec);
    const ids = traceFields(spec.trace);
    this.#log.trace({ ...ids, path: spec.path, body: request.body }, "request");
    const scope = new CallScope(spec.signal, this.#calls);
    if (scope.endedBy !== null) {
      scope.dispose();
      throw scope.endedBy;
    }
    return { spec, request, scope, isStream, ids };
  }

  /** The attempts of a call as the policy allows them, each with a line in the log. */
  #attempts<T>(call: Call, makeAttempt: (attempt: Attempt) => Promise<T>): Promise<T> {
    const { spec, scope, isStream, ids } = call;
    const { method, path } = spec;
    const retriesRefusals = this.#retriesRefusals;
    const onUsedUp = ({ code, attempts }: FoundryError) =>
      this.#log.warn({ ...ids, method, path, code, attempts }, "retries used up");
    const retry = spec.retry !== false;
    const policy = { method, isStream, scope, retry, retriesRefusals, onUsedUp };
    return withRetries(policy, this.#retry, async (attempt) => {
      const begin = performance.now();
      const fields = () => ({
        ...ids,
        method,
        path,
        attempt: attempt.number,
        status: attempt.status,
        ms: Math.round(performance.now() - begin),
        requestId: attempt.requestId,
      });
      try {
        const result = await makeAttempt(attempt);
        this.#log.debug(fields(), isStream ? "stream started" : "answered");
        return result;
      } catch (thrown) {
        const { code, message, detail } = toFoundryError(thrown);
        // What a service says of a request may quote the prompt.
        const error = method === "GET" ? message : undefined;
        this.#log.debug({ ...fields(), code, error }, "attempt failed");
        this.#log.trace({ ...ids, path, error: message, detail }, "what failed");
        throw thrown;
      }
    });
  }

  /** Resolves when an answer that is no refusal has begun. */
  async #answered(call: Call, attempt: Attempt): Promise<Answer> {
    const answer = await this.#send(call, attempt);
    const { status } = answer.head;
    const { toError } = call.spec;
    if ((status >= 200 && status < 300) || toError === null) return answer;
    throw toError(await refusal(call, attempt, answer, this));
  }

  /** Resolves when the answer has begun. Redirects within the endpoint are followed. */
  async #send(call: Call, attempt: Attempt): Promise<Answer> {
    let { request } = call;
    for (let redirects = 0; ; redirects += 1) {
      const answer = await this.#sendOnce({ ...call, request }, attempt, redirects === 0);
      const path = redirectedPath(this.#endpoint, request.path, answer.head);
      if (path === null || redirects === MOST_REDIRECTS) return answer;
      answer.exchange.leave();
      request = { ...request, path };
    }
  }

  async #sendOnce(
    { spec, request, scope, isStream }: Call,
    attempt: Attempt,
    isFirst: boolean,
  ): Promise<Answer> {
    const isGuarded = spec.retry !== false;
    if (isGuarded) this.#circuit.throwIfOpen();
    // Before the circuit and all limits: how long it waits for its turn is our own doing.
    const lease = await this.#connections.take(isLong(spec, isStream), scope);
    try {
      scope.throwIfEnded();
      if (isGuarded) this.#circuit.throwIfOpen();
    } catch (thrown) {
      lease.giveBack();
      throw thrown;
    }
    const onSent = () => {
      attempt.wasSent = true;
    };
    const onHead = (head: Head) => {
      attempt.status = head.status;
      attempt.retryAfterMs = retryAfterMsOf(head.headers);
      attempt.requestId = requestIdOf(head.headers, this.secrets);
    };
    const { limits, trace: { traffic = this.#background } = {} } = spec;
    if (isFirst && attempt.number > 1) traffic.retries += 1;
    const { baseUrl } = this;
    const send = () =>
      new Exchange({ lease, request, limits, scope, isStream, traffic, onSent, onHead, baseUrl });
    const exchange = isGuarded ? await this.#circuit.pass(send) : send();
    return { exchange, head: await exchange.head };
  }
}

/** Completions are posted; nothing that is asked for with a GET is as large. */
const maxBytesOf = ({ method, maxBodyBytes }: RequestSpec): number =>
  maxBodyBytes ?? (method === "GET" ? MAX_LIST_BYTES : MAX_BODY_BYTES);

/** Whether it may last minutes: a stream, a load, whatever else is not limited to a short time. */
const isLong = ({ limits }: RequestSpec, isStream: boolean): boolean =>
  isStream || (limits.wholeMs ?? Number.POSITIVE_INFINITY) > SHORT_REQUEST_MS;

/** What is known of an answer that is not 2xx. */
async function refusal(
  call: Call,
  attempt: Attempt,
  { exchange, head }: Answer,
  { secrets, baseUrl }: Pick<HttpTransport, "secrets" | "baseUrl">,
): Promise<HttpFailure> {
  // Services and proxies quote what they were sent, whatever the status.
  const { text, brokeOff } = await readFailureBody(exchange, silenceWatch(call, exchange));
  const body = secrets.hide(text);
  const contentType = head.headers["content-type"] ?? "";
  const { location } = head.headers;
  const target = head.status < 400 ? redirectTarget(location, baseUrl) : null;
  const statusText =
    target === null
      ? head.statusText || (STATUS_CODES[head.status] ?? "")
      : printable(`redirected to ${target}`, LONGEST_REDIRECT);
  const said = target === null ? body : "";
  const words = errorWordsOf(said, said === "" ? "" : contentType, secrets.hide(statusText));
  return {
    status: head.status,
    message: secrets.hide(words.text),
    kinds: words.kinds.map((kind) => secrets.hide(kind)),
    body,
    brokeOff,
    retryAfterMs: attempt.retryAfterMs,
  };
}

/** Starts the stall timer, and returns the function that restarts it. */
function silenceWatch({ spec }: Call, exchange: Exchange): () => void {
  const restart = () => exchange.expectWithin("silence", spec.limits.silenceMs);
  restart();
  return restart;
}
