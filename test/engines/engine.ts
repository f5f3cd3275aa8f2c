import type { ErrorCode } from "../../src/lib/errors.js";

/** The shapes of one family of engines, as its documentation, its source or its users show them. */
export interface Engine {
  readonly name: string;
  readonly lists: readonly ListShape[];
  readonly answers: readonly AnswerShape[];
  readonly refusals: readonly RefusalShape[];
  readonly brokenStreams: readonly BrokenStream[];
}

interface Shape {
  /** The special property of this shape. */
  readonly what: string;
  /** The public page that shows it. */
  readonly source: string;
}

/** What `GET /v1/models` answers. */
export interface ListShape extends Shape {
  readonly body: object;
  /** All ids, in any order. */
  readonly ids: readonly string[];
  /** The model of a chat that names none. */
  readonly forChat: string;
  /** The context of that model, where the list has it. */
  readonly contextLength?: number;
}

/** A completion, whole and streamed. */
export interface AnswerShape extends Shape {
  readonly whole?: object;
  readonly streamed: string;
  readonly text: string;
  /** Default `null`. */
  readonly reasoning?: string;
  /** Default "stop". */
  readonly finishReason?: "stop" | "length";
  /** `null`: the engine does not count them. */
  readonly outputTokens: number | null;
}

/** An answer to `POST /v1/chat/completions` with a status of its own. */
export interface RefusalShape extends Shape {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  readonly body: object | string;
  readonly code: ErrorCode;
  /** A part of the message that an agent gets. */
  readonly says: RegExp | string;
  /** `true`: the same request may succeed later, so it is sent again. */
  readonly passes?: boolean;
  /** `true`: a model is loading, which is waited for as a load is. */
  readonly loads?: boolean;
}

/** A stream that begins with 200 and fails. */
export interface BrokenStream extends Shape {
  readonly streamed: string;
  readonly code: ErrorCode;
  readonly says: RegExp | string;
  /** The text before the failure. Default: none. */
  readonly text?: string;
}

/** Events of a stream: objects as JSON, strings as they are. */
export const sse = (...events: readonly (object | string)[]): string =>
  events
    .map((event) => `data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`)
    .join("");
