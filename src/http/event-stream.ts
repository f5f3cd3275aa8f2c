import {
  FoundryError,
  MAX_CHARACTERS_AHEAD,
  MAX_EVENTS_AHEAD,
  MAX_IDLE_STREAM_BYTES,
  toFoundryError,
} from "../lib/index.js";
import type { CallScope } from "./call-scope.js";
import { isHtml } from "./error-text.js";
import { readEvents } from "./event-parser.js";
import type { Exchange, Head } from "./exchange.js";
import { timeoutError } from "./failure.js";
import type { Attempt } from "./resilience.js";
import type { EventStream, ReadEvent, StreamEvent, StreamSpec } from "./types.js";

interface StreamSource<T> {
  readonly exchange: Exchange;
  readonly head: Head;
  readonly scope: CallScope;
  readonly spec: Pick<StreamSpec<T>, "limits" | "read">;
  readonly attempt: Pick<Attempt, "number" | "requestId">;
  readonly maxBytes: number;
  readonly baseUrl: string;
}

/**
 * The events of one answer, as they come. Leaving the loop early destroys the connection, which is
 * what newer services take as the sign to stop generating.
 *
 * One that is never read stays open, with at most a few hundred kilobytes of it in memory, until
 * the caller's signal, the whole-time limit or the transport's `close()` ends it.
 */
export class OpenEventStream<T> implements EventStream<T>, AsyncIterator<T, undefined> {
  readonly attempts: number;
  readonly requestId: string | null;
  readonly #source: StreamSource<T>;
  readonly #events: AsyncGenerator<StreamEvent, string | null | undefined, undefined>;
  /** Read while waiting for the start, not yet handed on. */
  readonly #ahead: { readonly item: T; readonly characters: number }[] = [];
  #charactersAhead = 0;
  #isOver = false;
  /** Until an event comes that is a part of the answer; `undefined`: without a limit. */
  #silenceLeftMs: number | undefined;
  /** Before the first event, `firstByteMs` applies instead. */
  #hasBegun = false;
  /** Bytes since the last event that was a part of the answer. */
  #idleBytes = 0;

  constructor(source: StreamSource<T>) {
    this.#source = source;
    this.attempts = source.attempt.number;
    this.requestId = source.attempt.requestId;
    this.#silenceLeftMs = source.spec.limits.silenceMs;
    this.#events = readEvents(this.#chunks(), source.maxBytes);
  }

  /**
   * Reads until the first event that is a part of the answer, or to the end. Until this resolves the
   * attempt may fail and be made again; whatever it read then is forgotten.
   */
  async readAhead(): Promise<void> {
    const { exchange } = this.#source;
    try {
      for (;;) {
        const read = await this.#read();
        if (read === undefined) break;
        this.#keepAhead(read.item, read.characters);
        if (read.isPart) break;
      }
    } catch (thrown) {
      exchange.leave();
      throw thrown;
    }
    if (this.#ahead.length === 0) throw invalidStream(this.#source.baseUrl, "an empty stream");
    exchange.isStarted = true;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    if (this.#isOver) return { done: true, value: undefined };
    try {
      this.#source.scope.throwIfEnded();
      const read = this.#ahead.shift() ?? (await this.#read());
      // `return()` may have come while this one was waiting.
      if (read !== undefined && !this.#isOver) return { done: false, value: read.item };
      this.#isOver = true;
      return { done: true, value: undefined };
    } catch (thrown) {
      if (this.#isOver) return { done: true, value: undefined };
      this.#isOver = true;
      const error = toFoundryError(thrown);
      error.attempts = this.attempts;
      error.requestId ??= this.requestId;
      this.#source.exchange.abort(error);
      throw error;
    }
  }

  // By hand and not a generator: the return() of a generator waits for the event it is waiting for.
  async return(): Promise<IteratorResult<T, undefined>> {
    this.#isOver = true;
    this.#source.exchange.leave();
    return { done: true, value: undefined };
  }

  /** The latest ones, since each may come a million times before the first token. */
  #keepAhead(item: T, characters: number): void {
    this.#ahead.push({ item, characters });
    this.#charactersAhead += characters;
    while (
      this.#ahead.length > 1 &&
      (this.#ahead.length > MAX_EVENTS_AHEAD || this.#charactersAhead > MAX_CHARACTERS_AHEAD)
    ) {
      this.#charactersAhead -= this.#ahead.shift()?.characters ?? 0;
    }
  }

  async #read(): Promise<(ReadEvent<T> & { readonly characters: number }) | undefined> {
    const { exchange } = this.#source;
    // The silence is counted while the next event is waited for, so that a slow reader is not taken
    // for a stalled service.
    if (this.#hasBegun) exchange.expectWithin("silence", this.#silenceLeftMs);
    const since = performance.now();
    const result = await this.#events.next();
    exchange.relax();
    const event = result.done === true ? this.#eventInPlace(result.value ?? null) : result.value;
    if (event === undefined) return undefined;
    const read = this.#source.spec.read(event);
    this.#countSilence(read.isPart, performance.now() - since);
    return { ...read, characters: event.data.length };
  }

  #countSilence(isPart: boolean, waitedMs: number): void {
    const { spec, baseUrl } = this.#source;
    const { silenceMs } = spec.limits;
    if (isPart || !this.#hasBegun || silenceMs === undefined) {
      this.#silenceLeftMs = silenceMs;
    } else {
      this.#silenceLeftMs = (this.#silenceLeftMs ?? silenceMs) - waitedMs;
      // Where events come without a pause, no timer ever has time to fire.
      if (this.#silenceLeftMs <= 0) throw timeoutError("silence", silenceMs, baseUrl, false);
    }
    this.#hasBegun = true;
    if (isPart) this.#idleBytes = 0;
  }

  /** What a body without any event has in place of them; engines and proxies send words with every type. */
  #eventInPlace(unread: string | null): StreamEvent | undefined {
    if (unread === null) return undefined;
    const { head, baseUrl } = this.#source;
    const contentType = head.headers["content-type"] ?? "";
    if (unread === "" && contentType.includes("text/event-stream")) return undefined;
    const kind = kindOf(unread, contentType);
    if (kind !== "words") throw invalidStream(baseUrl, kind);
    // What they mean is known to the caller.
    return { data: unread, event: null };
  }

  /** Comments and lines without an end bring no event, so bytes are counted here. */
  async *#chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of this.#source.exchange) {
      this.#idleBytes += chunk.length;
      if (this.#idleBytes > MAX_IDLE_STREAM_BYTES) throw nothingInIt(this.#source.baseUrl);
      yield chunk;
    }
  }
}

function kindOf(body: string, contentType: string): string {
  if (body.trim() === "") return "an empty answer";
  if (isHtml(body, contentType)) return "an HTML page";
  return /^\s*[{[]/.test(body) ? "half a JSON" : "words";
}

function nothingInIt(baseUrl: string): FoundryError {
  return new FoundryError(
    "RESPONSE_TOO_LARGE",
    `${baseUrl} sent more than ${MAX_IDLE_STREAM_BYTES} bytes without any of an answer in them.`,
    { action: "Look what answers at the endpoint; restart or update the service." },
  );
}

function invalidStream(baseUrl: string, what: string): FoundryError {
  return new FoundryError(
    "INVALID_RESPONSE",
    `${baseUrl} answered with ${what} where a stream of events was expected.`,
    { action: "Check that the endpoint is the service itself and that it can stream." },
  );
}
