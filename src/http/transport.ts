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
  TextSpec,
  TextStream,
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

/**
 * HTTP to one endpoint: pooled connections, a time limit for each phase, retries and a circuit
 * breaker. Whatever goes wrong is thrown as a `FoundryError`.
 *
 * @example
 * const transport = new HttpTransport({ baseUrl: "http://127.0.0.1:5273" });
 * const { body } = await transport.request({
 *   method: "GET", path: "/v1/models", limits: {}, anyStatus: true,
 * });
 */
export class HttpTransport {
  readonly baseUrl: string;
  /** What it sends with every request and no text may show; for the words of an answer. */
  readonly secrets: SecretMask;

  readonly #endpoint: Endpoint;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #maxBodyBytes: number;
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
    this.#maxBodyBytes = options.maxBodyBytes ?? MAX_BODY_BYTES;
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
        const exchange = await this.#send(call, attempt);
        const head = await exchange.head;
        if (!isSuccess(head.status) && spec.anyStatus !== true) {
          throw spec.toError(await refusal(call, attempt, exchange, head, this));
        }
        const body = await readBody(exchange, this.#maxBytesOf(spec), silenceWatch(call, exchange));
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
  async stream(spec: StreamSpec): Promise<EventStream> {
    const call = this.#open(spec, true);
    return this.#begun(call, spec, async (exchange, head, attempt) => {
      const { scope } = call;
      const { limits } = spec;
      const maxBytes = this.#maxBodyBytes;
      const source = { exchange, head, scope, limits, maxBytes, baseUrl: this.baseUrl };
      const stream = new OpenEventStream(source);
      await stream.readAhead(spec.isStart);
      stream.attempts = attempt.number;
      stream.requestId = attempt.requestId;
      return stream;
    });
  }

  /**
   * Sends a request and resolves when its answer begins; what breaks off after that is thrown while
   * it is read. Leaving the loop early destroys the connection. Its length has no limit.
   */
  async text(spec: TextSpec): Promise<TextStream> {
    const call = this.#open(spec, false);
    return this.#begun(call, spec, async (exchange, _head, attempt) => {
      const pieces = readPieces(exchange, silenceWatch(call, exchange));
      return { attempts: attempt.number, [Symbol.asyncIterator]: () => pieces };
    });
  }

  /** Sends a request and resolves at the beginning of its answer. The call goes on until that is over. */
  async #begun<T>(
    call: Call,
    { toError, onAttempt }: TextSpec & Pick<StreamSpec, "onAttempt">,
    resultOf: (exchange: Exchange, head: Head, attempt: Attempt) => Promise<T>,
  ): Promise<T> {
    const { scope } = call;
    try {
      return await this.#attempts(call, async (attempt) => {
        onAttempt?.();
        const exchange = await this.#send(call, attempt);
        const head = await exchange.head;
        if (!isSuccess(head.status)) {
          throw toError(await refusal(call, attempt, exchange, head, this));
        }
        const result = await resultOf(exchange, head, attempt);
        void exchange.over.then(() => scope.dispose());
        return result;
      });
    } catch (thrown) {
      scope.dispose();
      throw thrown;
    }
  }

  /** Ends everything in flight with `CLIENT_CLOSED`; so does every later call. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const scope of [...this.#calls]) scope.end(closedError());
    this.#connections.close();
  }

  /** Completions are posted; nothing that is asked for with a GET is as large. */
  #maxBytesOf({ method, maxBodyBytes }: RequestSpec): number {
    const most = maxBodyBytes ?? (method === "GET" ? MAX_LIST_BYTES : this.#maxBodyBytes);
    return Math.min(most, this.#maxBodyBytes);
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
      });
      try {
        const result = await makeAttempt(attempt);
        const { requestId } = attempt;
        this.#log.debug({ ...fields(), requestId }, isStream ? "stream started" : "answered");
        return result;
      } catch (thrown) {
        const { code, message, detail } = toFoundryError(thrown);
        const { requestId } = attempt;
        // What a service says of a request may quote the prompt.
        const error = method === "GET" ? message : undefined;
        this.#log.debug({ ...fields(), code, error, requestId }, "attempt failed");
        this.#log.trace({ ...ids, path, error: message, detail }, "what failed");
        throw thrown;
      }
    });
  }

  /** Resolves when the answer has begun. Redirects within the endpoint are followed. */
  async #send(call: Call, attempt: Attempt): Promise<Exchange> {
    let { request } = call;
    for (let redirects = 0; ; redirects += 1) {
      const exchange = await this.#sendOnce({ ...call, request }, attempt, redirects === 0);
      const path = redirectedPath(this.#endpoint, request.path, await exchange.head);
      if (path === null || redirects === MOST_REDIRECTS) return exchange;
      exchange.leave();
      request = { ...request, path };
    }
  }

  async #sendOnce(
    { spec, request, scope, isStream }: Call,
    attempt: Attempt,
    isFirst: boolean,
  ): Promise<Exchange> {
    const isGuarded = spec.retry !== false;
    if (isGuarded) this.#circuit.throwIfOpen();
    // Before the circuit and all limits: how long it waits for its turn is our own doing.
    const lease = await this.#connections.take(isLong(spec, isStream), scope);
    let isUsed = false;
    const send = () => {
      isUsed = true;
      const onHead = (head: Head) => {
        attempt.status = head.status;
        attempt.retryAfterMs = retryAfterMsOf(head.headers);
        attempt.requestId = requestIdOf(head.headers, this.secrets);
      };
      const { limits, trace: { traffic = this.#background } = {} } = spec;
      if (isFirst && attempt.number > 1) traffic.retries += 1;
      const what = { lease, request, limits, scope, isStream, traffic, onHead };
      const exchange = new Exchange({ ...what, baseUrl: this.baseUrl });
      // Thrown here, it would count as an answer to the circuit's probe.
      if (scope.endedBy !== null) exchange.abort(scope.endedBy);
      return exchange;
    };
    try {
      scope.throwIfEnded();
      const exchange = isGuarded ? await this.#circuit.pass(send) : send();
      await exchange.head;
      return exchange;
    } finally {
      if (!isUsed) lease.giveBack();
    }
  }
}

/** Whether it may last minutes: a stream, a load, whatever else is not limited to a short time. */
const isLong = ({ limits }: RequestSpec, isStream: boolean): boolean =>
  isStream || (limits.wholeMs ?? Number.POSITIVE_INFINITY) > SHORT_REQUEST_MS;

/** What is known of an answer that is not 2xx. */
async function refusal(
  call: Call,
  attempt: Attempt,
  exchange: Exchange,
  head: Head,
  { secrets, baseUrl }: Pick<HttpTransport, "secrets" | "baseUrl">,
): Promise<HttpFailure> {
  const { spec } = call;
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
    method: spec.method,
    path: spec.path,
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

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
