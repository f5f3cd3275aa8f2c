import type { Dispatcher } from "undici";
import {
  CHUNK_OVERHEAD_BYTES,
  cancelledError,
  deferred,
  type FoundryError,
  type TimeoutPhase,
  type TrafficCounts,
  timeLimit,
} from "../lib/index.js";
import { decompressed } from "./body.js";
import type { CallScope } from "./call-scope.js";
import type { Lease } from "./connections.js";
import { networkError, timeoutError } from "./failure.js";
import type { PhaseLimits } from "./types.js";
import type { WireRequest } from "./wire-request.js";

export interface Head {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Backpressure: the unread bytes above which the socket is paused, and below which it is resumed. */
const PAUSE_ABOVE_BYTES = 256 * 1024;
const RESUME_BELOW_BYTES = 64 * 1024;

interface ExchangeOptions {
  readonly lease: Lease;
  readonly request: WireRequest;
  readonly limits: PhaseLimits;
  readonly scope: CallScope;
  readonly baseUrl: string;
  /** The first-byte limit of a stream applies until its reader calls {@link Exchange.relax}. */
  readonly isStream: boolean;
  /** Counts it. */
  readonly traffic: TrafficCounts;
  readonly onSent: () => void;
  readonly onHead: (head: Head) => void;
}

/**
 * One request on the wire and its answer: the head as a promise, the body as chunks. Sits directly
 * on undici's dispatch, because `request()` cannot say when the connection stood, and does not
 * settle on an abort while it is still being opened.
 */
export class Exchange implements AsyncIterable<Uint8Array> {
  readonly #head = deferred<Head>();
  readonly #sent = deferred();
  readonly #over = deferred();
  /** The code that starts the exchange awaits this. */
  readonly head = this.#head.promise;
  /** Resolves when the connection stands and the request is on its way; never rejects. */
  readonly sent = this.#sent.promise;
  /** Resolves when nothing more comes, for whatever reason; never rejects. */
  readonly over = this.#over.promise;
  /** Set by the reader of a stream: an error from here on interrupts text that was already delivered. */
  isStarted = false;

  readonly #options: ExchangeOptions;
  readonly #chunks: Uint8Array[] = [];
  #unread = 0;
  #status: number | null = null;
  #encoding = "";
  #controller: Dispatcher.DispatchController | null = null;
  #failure: (() => FoundryError) | null = null;
  #isOver = false;
  #wake: () => void = () => {};
  /** Stops the limit of the current phase. */
  #stopPhase = (): void => {};
  #stopWhole = (): void => {};

  constructor(options: ExchangeOptions) {
    this.#options = options;
    options.scope.onEnd((error) => this.abort(error));
    const { connection } = options.lease;
    const { traffic, request } = options;
    traffic.requests += 1;
    traffic.sentBytes += Buffer.byteLength(request.body ?? "");
    connection.client.dispatch(
      { ...request },
      {
        onRequestStart: (controller) => {
          this.#controller = controller;
          connection.isHeadAwaited = true;
          options.onSent();
          this.#sent.resolve();
          this.#startLimits();
        },
        onResponseStart: (_controller, status, headers, statusText) => {
          if (this.#isOver || status < 200) return;
          this.#status = status;
          connection.isHeadAwaited = false;
          if (!options.isStream) this.relax();
          const answer = { status, statusText: statusText ?? "", headers: joined(headers) };
          this.#encoding = answer.headers["content-encoding"] ?? "";
          connection.isEnding = /\bclose\b/i.test(answer.headers["connection"] ?? "");
          options.onHead(answer);
          this.#head.resolve(answer);
        },
        onResponseData: (controller, chunk) => {
          if (this.#isOver) return;
          traffic.receivedBytes += chunk.length;
          this.#chunks.push(chunk);
          this.#unread += chunk.length + CHUNK_OVERHEAD_BYTES;
          if (this.#unread > PAUSE_ABOVE_BYTES) controller.pause();
          this.#wake();
        },
        onResponseEnd: () => {
          if (this.#isOver) return;
          options.lease.giveBack();
          this.#finish();
        },
        onResponseError: (_controller, error) => {
          // Decided when it is read: only then it is known whether anything before it was.
          this.#fail(() => networkError(error, this.#progress()));
        },
      },
    );
  }

  /** Ends it at once and destroys the socket. What has come can still be read. */
  abort(error: FoundryError): void {
    this.#fail(() => error);
  }

  /** Its reader wants no more of it. */
  leave(): void {
    // An error is made only where it is needed: its stack costs more than the rest of this.
    if (!this.#isOver) this.abort(cancelledError());
  }

  /** Allows `limitMs` until the next {@link relax} or `expectWithin`; no limit if `undefined`. */
  expectWithin(phase: TimeoutPhase, limitMs: number | undefined): void {
    this.relax();
    if (limitMs === undefined || this.#isOver) return;
    this.#stopPhase = timeLimit(limitMs, () => this.#timeOut(phase, limitMs));
  }

  relax(): void {
    this.#stopPhase();
  }

  /** The body as it was before it was compressed; known once the head is. */
  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    return decompressed(this.#received(), this.#encoding);
  }

  async *#received(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#unread -= chunk.length + CHUNK_OVERHEAD_BYTES;
        if (this.#unread < RESUME_BELOW_BYTES && this.#controller?.paused)
          this.#controller.resume();
        yield chunk;
      } else if (this.#failure !== null) {
        throw this.#failure();
      } else if (this.#isOver) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  #startLimits(): void {
    const { limits } = this.#options;
    this.expectWithin("first_byte", limits.firstByteMs);
    const { wholeMs } = limits;
    if (wholeMs === undefined) return;
    this.#stopWhole = timeLimit(wholeMs, () => this.#timeOut("whole", wholeMs));
  }

  #timeOut(phase: TimeoutPhase, limitMs: number): void {
    const { baseUrl, request } = this.#options;
    // Asking again is harmless only if the service does nothing twice because of it.
    const isRetryable = phase === "first_byte" && request.method === "GET";
    this.abort(timeoutError(phase, limitMs, baseUrl, isRetryable, this.#status));
  }

  #progress() {
    const { baseUrl, isStream } = this.#options;
    return { baseUrl, isAnswered: this.#status !== null, isStarted: this.isStarted, isStream };
  }

  #fail(failure: () => FoundryError): void {
    if (this.#isOver) return;
    this.#failure = failure;
    const error = failure();
    this.#head.reject(error);
    this.#finish();
    this.#options.lease.destroy(error);
  }

  #finish(): void {
    this.#isOver = true;
    this.relax();
    this.#stopWhole();
    this.#wake();
    this.#over.resolve();
  }
}

function joined(headers: Readonly<Record<string, string | string[] | undefined>>) {
  const entries = Object.entries(headers).map(([name, value]): [string, string] => [
    name.toLowerCase(),
    Array.isArray(value) ? value.join(", ") : (value ?? ""),
  ]);
  return Object.fromEntries(entries);
}
