import { setImmediate } from "node:timers/promises";
import {
  answerFrom,
  Brackets,
  EVENTS_PER_TURN,
  FoundryError,
  SEARCHED_OF_BODY,
  STREAM_BYTES_PER_TURN,
} from "../lib/index.js";
import type { StreamEvent } from "./types.js";

const DATA = "data:";

/**
 * Parses server-sent events (SSE) leniently. Besides the standard's events: an event whose data is
 * whole JSON without the blank line after it, JSON without `data:` (a whole answer, NDJSON, an error),
 * and the field `error:` of llama.cpp. Line ends are LF by now.
 */
class EventParser {
  /** The events so far. The caller takes them out. */
  readonly arrived: StreamEvent[] = [];
  isTooLarge = false;

  readonly #maxCharacters: number;
  #line: "new" | "value" | "field" | "comment" = "new";
  /** Of a new line: what may become `data:`; of a field: all of it. */
  #head = "";
  #value = "";
  #holds: "nothing" | "json" | "text" = "nothing";
  #brackets = new Brackets();
  /** The value came without `data:`. */
  #isBare = false;
  /** After `data:` one space may follow that is not part of the value. */
  #skipsSpace = false;
  #name: string | null = null;
  /** It begins with `<`: a page for a browser, though a line of it may look like an event. */
  #isPage: boolean | null = null;
  #unread = "";

  /** @param maxCharacters Largest event; a larger one sets `isTooLarge`. */
  constructor(maxCharacters: number) {
    this.#maxCharacters = maxCharacters;
  }

  /** The beginning of what belongs to no event: such as an error in plain words. */
  get unread(): string {
    return this.#unread.trim();
  }

  feed(text: string): void {
    let at = 0;
    while (at < text.length && !this.isTooLarge) {
      if (this.#line === "new") {
        if (this.#head === "") at = nextOf(NOT_BLANK, text, at);
        if (at === text.length) return;
        const end = this.#wholeLine(text, at);
        if (end !== -1) {
          at = end;
          continue;
        }
        this.#begin(text.charAt(at));
        at += 1;
        continue;
      }
      const lineEnd = text.indexOf("\n", at);
      const end = lineEnd === -1 ? text.length : lineEnd;
      this.#take(text.slice(at, end));
      if (lineEnd !== -1) this.#endLine();
      at = end + 1;
    }
  }

  /** Emits `data: {…}`, the usual line, without a look at each character. Returns its end, -1 for other lines. */
  #wholeLine(text: string, at: number): number {
    if (!text.startsWith(DATA, at) || this.#head !== "" || this.#value !== "" || this.#isPage) {
      return -1;
    }
    const end = text.indexOf("\n", at);
    const from = at + DATA.length + (text.charAt(at + DATA.length) === " " ? 1 : 0);
    if (text.charAt(from) !== "{" || text.charAt(end - 1) !== "}") return -1;
    const data = text.slice(from, end);
    const value = data.length > this.#maxCharacters ? undefined : answerFrom(data);
    if (value === undefined) return -1;
    this.#isPage = false;
    this.arrived.push({ data, event: this.#name, value });
    this.#clear();
    return end + 1;
  }

  /**
   * The end of the body. The standard drops a last event without its blank line. It is kept if it is
   * whole: half a JSON would hide that the stream broke off.
   */
  end(): void {
    this.#endLine();
    if (this.#holds === "text" && isWhole(this.#value)) this.#emit();
    this.#drop();
  }

  #begin(character: string): void {
    if (character === "\n") {
      if (this.#head === "") this.#endEvent();
      else this.#endLine();
      return;
    }
    this.#isPage ??= character === "<";
    this.#head += character;
    if (this.#isPage) this.#line = "field";
    else if (this.#head === DATA) this.#beginData();
    else if (DATA.startsWith(this.#head)) return;
    else if (character === ":" && this.#head === ":") this.#line = "comment";
    else if (this.#isOfJson(this.#head)) this.#beginBare();
    else this.#line = "field";
  }

  /** Whether a line without `data:` that begins so is JSON, or goes on with one. */
  #isOfJson(head: string): boolean {
    if (this.#holds === "text") return false;
    // No value of JSON begins as `event`, `error`, `id` and `retry` do.
    return this.#holds === "json" ? !/^[eir]/.test(head) : /^[{[]/.test(head);
  }

  #beginData(): void {
    if (this.#isBare) this.#drop();
    if (this.#holds === "text") this.#add("\n");
    this.#line = "value";
    this.#skipsSpace = true;
  }

  #beginBare(): void {
    this.#isBare ||= this.#holds === "nothing";
    this.#line = "value";
    this.#take(this.#head);
  }

  #take(text: string): void {
    if (this.#line === "value") {
      const isSpaced = this.#skipsSpace && text.startsWith(" ");
      if (text !== "") this.#skipsSpace = false;
      this.#takeValue(text, isSpaced ? 1 : 0);
    } else if (this.#line === "field") {
      this.#head += text;
      this.isTooLarge ||= this.#head.length > this.#maxCharacters;
    }
  }

  #takeValue(text: string, from: number): void {
    let at = from;
    while (at < text.length) {
      if (this.#holds === "nothing") {
        const first = nextOf(NOT_SPACE, text, at);
        this.#add(text.slice(at, first));
        at = first;
        if (at === text.length) return;
        this.#holds = /[{[]/.test(text.charAt(at)) ? "json" : "text";
        if (this.#holds === "json") {
          this.#value = "";
          this.#brackets = new Brackets();
        }
      }
      const jsonEnd = this.#holds === "json" ? this.#brackets.endIn(text, at) : -1;
      const end = jsonEnd === -1 ? text.length : jsonEnd;
      this.#add(text.slice(at, end));
      at = end;
      if (jsonEnd === -1) continue;
      const value = isDone(this.#value) ? undefined : answerFrom(this.#value);
      if (value !== undefined) this.#emit(value);
      // A sentence may begin with a bracket, too.
      else this.#holds = "text";
    }
  }

  #add(text: string): void {
    this.#value += text;
    this.isTooLarge ||= this.#value.length > this.#maxCharacters;
  }

  #endLine(): void {
    if (this.#line === "field" || (this.#line === "new" && this.#head !== "")) {
      this.#takeField(this.#head);
    } else if (this.#isBare && this.#holds !== "json") {
      this.#drop();
    }
    this.#line = "new";
    this.#head = "";
  }

  #takeField(line: string): void {
    const colon = line.indexOf(":");
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (this.#isPage) {
      this.#noteUnread(line);
    } else if (name === "event") {
      this.#name = value === "" ? null : value;
    } else if (name === "error" && value.trim() !== "") {
      const error = answerFrom(value) ?? value;
      this.arrived.push({ data: JSON.stringify({ error }), event: "error" });
    } else if (!/^(?:data|id|retry)$/.test(name)) {
      this.#noteUnread(line);
    }
  }

  /** A blank line. */
  #endEvent(): void {
    if (this.#isBare && this.#holds === "json") return;
    if (this.#holds !== "nothing") this.#emit();
    this.#clear();
  }

  /** @param value Its JSON, where it has been parsed. */
  #emit(value?: unknown): void {
    if (this.#value.length <= this.#maxCharacters) {
      // Proxies that frame a stream once more send `data: data: {…}`.
      const data = this.#value.startsWith(DATA)
        ? this.#value.slice(DATA.length).trim()
        : this.#value;
      this.arrived.push({ data, event: this.#name, ...(value !== undefined && { value }) });
    }
    this.#clear();
  }

  /** Discards the partial event; its text is kept in `unread`. */
  #drop(): void {
    this.#noteUnread(this.#value);
    this.#clear();
  }

  #clear(): void {
    this.#value = "";
    this.#holds = "nothing";
    this.#isBare = false;
    this.#name = null;
  }

  #noteUnread(text: string): void {
    if (this.#unread.length < SEARCHED_OF_BODY) {
      this.#unread += `${text.slice(0, SEARCHED_OF_BODY)}\n`;
    }
  }
}

/** The data of an event as JSON; `undefined` where it is none. */
export const jsonOf = ({ data, value }: StreamEvent): unknown =>
  value === undefined ? answerFrom(data) : value;

const NOT_BLANK = /[^ \t]/g;
const NOT_SPACE = /\S/g;

/** The index of the next such character; the length of the text where there is none. */
function nextOf(character: RegExp, text: string, from: number): number {
  character.lastIndex = from;
  return character.exec(text)?.index ?? text.length;
}

/** Whether it is the last event of a stream. The error of `JSON.parse` for it would cost more than to parse all others. */
export const isDone = (data: string): boolean => data.length < 100 && data.trim() === "[DONE]";

const isWhole = (data: string): boolean => isDone(data) || answerFrom(data) !== undefined;

/**
 * The events of a streamed body, however it is cut into chunks and whatever its `Content-Type`.
 * Comments are skipped: newer services send `: keep-alive` while they think. What comes without a
 * pause is worked on in turns, so that timers and other calls have theirs.
 *
 * @param maxCharacters Largest event; a larger one is an error, since its end may never come.
 * @returns The beginning of a body without any event, such as a page or plain words; `null` otherwise.
 */
export async function* readEvents(
  chunks: AsyncIterable<Uint8Array>,
  maxCharacters: number,
): AsyncGenerator<StreamEvent, string | null, undefined> {
  const parser = new EventParser(maxCharacters);
  const decoder = new TextDecoder();
  const withLineFeeds = lineFeeds();
  let events = 0;
  let bytes = 0;

  for await (const chunk of chunks) {
    bytes += chunk.length;
    parser.feed(withLineFeeds(decoder.decode(chunk, { stream: true })));
    for (const event of parser.arrived.splice(0)) {
      yield event;
      events += 1;
      if (events % EVENTS_PER_TURN === 0) await setImmediate();
    }
    if (parser.isTooLarge) throw eventTooLarge(maxCharacters);
    if (bytes >= STREAM_BYTES_PER_TURN) {
      bytes = 0;
      await setImmediate();
    }
  }

  parser.feed(withLineFeeds(decoder.decode()));
  parser.end();
  const last = parser.arrived.splice(0);
  if (parser.isTooLarge) throw eventTooLarge(maxCharacters);
  yield* last;
  return events + last.length === 0 ? parser.unread : null;
}

/** The events of a body that has come whole. */
export function eventsIn(body: string): readonly StreamEvent[] {
  const parser = new EventParser(Number.POSITIVE_INFINITY);
  parser.feed(lineFeeds()(body));
  parser.end();
  return parser.arrived;
}

/** CRLF and CR as LF. */
function lineFeeds(): (text: string) => string {
  let endedWithReturn = false;
  return (text) => {
    if (text === "") return "";
    const own = endedWithReturn && text.startsWith("\n") ? text.slice(1) : text;
    endedWithReturn = text.endsWith("\r");
    return own.includes("\r") ? own.replace(/\r\n?/g, "\n") : own;
  };
}

function eventTooLarge(maxCharacters: number): FoundryError {
  return new FoundryError(
    "RESPONSE_TOO_LARGE",
    `The service sent an event of more than ${maxCharacters} characters.`,
    { action: "Ask for less, or look what answers at the endpoint." },
  );
}
