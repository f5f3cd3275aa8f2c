import { cancelledError, FoundryError, toFoundryError } from "../errors.js";
import { jsonFrom } from "../json.js";
import { readBody } from "./body.js";
import type { CallScope } from "./call-scope.js";
import { isHtml } from "./error-text.js";
import type { Exchange, Head } from "./exchange.js";
import { readEvents } from "./sse.js";
import type { EventStream, PhaseLimits, StreamEvent } from "./types.js";

interface StreamSource {
  readonly exchange: Exchange;
  readonly head: Head;
  readonly scope: CallScope;
  readonly limits: PhaseLimits;
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
export class OpenEventStream implements EventStream, AsyncIterator<StreamEvent, undefined> {
  attempts = 1;

  readonly #source: StreamSource;
  readonly #events: AsyncGenerator<StreamEvent, void, undefined>;
  /** Read while waiting for the start, not yet handed on. */
  readonly #ahead: StreamEvent[] = [];
  #isOver = false;

  constructor(source: StreamSource) {
    this.#source = source;
    this.#events = eventsOf(source);
  }

  /**
   * Reads until the event that `isStart` accepts, or to the end. Until this resolves the attempt
   * may fail and be made again; whatever it read then is forgotten.
   */
  async readAhead(isStart: (event: StreamEvent) => boolean): Promise<void> {
    const { exchange } = this.#source;
    try {
      for (;;) {
        const event = await this.#read();
        if (event === undefined) break;
        this.#ahead.push(event);
        if (isStart(event)) break;
      }
    } catch (thrown) {
      exchange.abort(cancelledError());
      throw thrown;
    }
    if (this.#ahead.length === 0) throw invalidStream(this.#source.baseUrl, "an empty stream");
    exchange.isStarted = true;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<StreamEvent, undefined>> {
    if (this.#isOver) return { done: true, value: undefined };
    try {
      this.#source.scope.throwIfEnded();
      const event = this.#ahead.shift() ?? (await this.#read());
      // `return()` may have come while this one was waiting.
      if (event !== undefined && !this.#isOver) return { done: false, value: event };
      this.#isOver = true;
      return { done: true, value: undefined };
    } catch (thrown) {
      if (this.#isOver) return { done: true, value: undefined };
      this.#isOver = true;
      const error = toFoundryError(thrown);
      error.attempts = this.attempts;
      this.#source.exchange.abort(error);
      throw error;
    }
  }

  // By hand and not a generator: the return() of a generator waits for the event it is waiting for.
  async return(): Promise<IteratorResult<StreamEvent, undefined>> {
    this.#isOver = true;
    this.#source.exchange.abort(cancelledError());
    return { done: true, value: undefined };
  }

  async #read(): Promise<StreamEvent | undefined> {
    const { exchange } = this.#source;
    const result = await this.#events.next();
    exchange.relax();
    return result.done === true ? undefined : result.value;
  }
}

async function* eventsOf(source: StreamSource): AsyncGenerator<StreamEvent, void, undefined> {
  const { exchange, head, limits, maxBytes, baseUrl } = source;
  const contentType = head.headers["content-type"] ?? "";
  // `includes`: C2 sends the header twice, which arrives as `text/event-stream, text/event-stream`.
  if (contentType.includes("text/event-stream")) {
    const events = readEvents(exchange, maxBytes);
    for (;;) {
      const event = await events.next();
      if (event.done === true) return;
      yield event.value;
      // The silence is counted while somebody waits for the next event, so that a slow reader is
      // not taken for a stalled service.
      exchange.expectWithin("silence", limits.silenceMs);
    }
  }
  const body = await readBody(exchange, maxBytes, () => {});
  // An engine that does not stream answers in one piece, which reads as a stream of one event.
  if (jsonFrom(body) === undefined) throw invalidStream(baseUrl, kindOf(body, contentType));
  yield { data: body, event: null };
}

function kindOf(body: string, contentType: string): string {
  if (body.trim() === "") return "an empty answer";
  if (isHtml(body, contentType)) return "an HTML page";
  return /^\s*[{[]/.test(body) ? "half a JSON" : "text";
}

function invalidStream(baseUrl: string, what: string): FoundryError {
  return new FoundryError(
    "INVALID_RESPONSE",
    `${baseUrl} answered with ${what} where a stream of events was expected.`,
    { action: "Check that the endpoint is the service itself and that it can stream." },
  );
}
