import {
  beginsAsJson,
  errorTextOf,
  jsonOf,
  type ReadEvent,
  type StreamEvent,
  wordsOfError,
} from "../../http/index.js";
import {
  FoundryError,
  MAX_UNKNOWN_WORD,
  printable,
  SEARCHED_OF_BODY,
  type SecretMask,
} from "../../lib/index.js";
import type { KnownModel } from "../models/index.js";
import { callPieces } from "../tools/index.js";
import {
  type AnswerPart,
  CALLS,
  type Choice,
  type Chunk,
  chunkSchema,
  isFilled,
  meaningOf,
  partsOfMessage,
} from "./chat-chunk.js";
import type { ChatEvent } from "./dialect.js";
import type { Subject } from "./failure-rules.js";
import { about, errorOfStreamEvent, hiddenWords, knownError } from "./failures.js";
import { sanitizeMessage } from "./sanitize-message.js";

/** A chat event, or the end of an aborted answer, whose error is thrown after its text. */
export type ParsedEvent = ChatEvent | { readonly type: "aborted"; readonly error: FoundryError };

/** Kinds of content that are named in warnings; an answer with more of them has the first ones. */
const MOST_KINDS = 5;

/** Reads the events of one answer, streamed or whole. */
export class EventReader {
  readonly #model: KnownModel;
  readonly #secrets: SecretMask;
  readonly #takesCalls: boolean;
  readonly #otherKinds = new Set<string>();
  #hasEnded = false;
  #hasWords = false;
  #isRefusal = false;
  /** Events with a `delta`, a `message` or a `text`. */
  #answers = 0;
  /** The text comes in `delta`. A `message` beside it repeats it. */
  #usesDeltas = false;
  #isWhole = false;
  /** The model that answers, in the words of the engine; `null` while it has named none. */
  #answering: string | null = null;
  readonly #listed: ReadonlySet<string> | undefined;
  /** Whether a chunk said that the answer goes on, with a `finish_reason` of `null`. */
  hasOpenEnd = false;
  /** The first event without a part of an answer. */
  #firstOther: StreamEvent | null = null;
  /** The first event that is no JSON. */
  #firstUnreadable: StreamEvent | null = null;

  /**
   * @param takesCalls Whether the request has tools.
   * @param listed Ids of the models that may answer in place of `model`.
   */
  constructor(
    model: KnownModel,
    secrets: SecretMask,
    takesCalls: boolean,
    listed?: ReadonlySet<string>,
  ) {
    this.#takesCalls = takesCalls;
    this.#listed = listed;
    this.#model = model;
    this.#secrets = secrets;
  }

  get #subject(): Subject {
    return about("chat", this.#model);
  }

  /** Whether no event carried a part of an answer or anything in its place. */
  get isEmpty(): boolean {
    return this.#answers === 0 && this.#firstOther === null;
  }

  /** Whether all of it came in one event, so that nothing can be missing from it. */
  get isWholeAnswer(): boolean {
    return this.#isWhole && this.#answers === 1;
  }

  /** Reads the next event: text, thinking, calls and the first end of the answer are parts of it. */
  read(event: StreamEvent): ReadEvent<readonly ParsedEvent[]> {
    const answers = this.#answers;
    const events = this.#chunksIn(event).flatMap((chunk) => {
      if (chunk !== null) return this.#eventsOf(event, chunk);
      // Such as a sign of life.
      if (!isNamed(event)) this.#firstUnreadable ??= event;
      return [];
    });
    if (this.#answers === answers) this.#firstOther ??= event;
    const isPart = events.some(({ type }) => (isEnd(type) ? !this.#hasEnded : type !== "usage"));
    this.#hasEnded ||= events.some(({ type }) => isEnd(type));
    return { item: events, isPart };
  }

  /**
   * What the caller should know at the end of the answer.
   *
   * @throws FoundryError `INVALID_RESPONSE` if what came was no answer.
   */
  conclude(hasFinishReason: boolean): readonly ChatEvent[] {
    if (this.#answers === 0 && this.#firstOther !== null) {
      const first = this.#firstUnreadable ?? this.#firstOther;
      throw noAnswer(first, this.#subject, this.#secrets);
    }
    const kinds = [...this.#otherKinds];
    // An answer with only calls is valid, though it has no text.
    const unshown = kinds.filter((kind) => !CALLS.some((call) => call === kind));
    if (!this.#hasWords && unshown.length > 0) throw onlyOthers(unshown);
    if (!hasFinishReason && this.#firstUnreadable !== null) {
      throw unreadable(this.#firstUnreadable, this.#secrets, true);
    }
    const { id } = this.#model;
    const answering = this.#answering ?? id;
    return [
      // A name that it does not list may be another one of the same model.
      ...(answering !== id && this.#listed?.has(answering)
        ? [`The engine says that ${answering} answered, not ${id}.`]
        : []),
      ...(this.#isRefusal ? ["The model refused to answer; the text is its refusal."] : []),
      ...(kinds.length === 0
        ? []
        : [`The answer has content that is no text and is not shown: ${listed(kinds)}.`]),
      ...(this.#firstUnreadable === null
        ? []
        : ["An event of the answer could not be read and was left out."]),
    ].map((warning) => ({ type: "warning", warning }));
  }

  /** The chunks in an event; `null` for words where a chunk is expected. */
  #chunksIn(event: StreamEvent): readonly (Chunk | null)[] {
    const value = jsonOf(event);
    const isCut = value === undefined && beginsAsJson(event.data);
    if (typeof value !== "object" && (!isCut || isNamed(event))) {
      return [event.event === "error" ? { error: event.data } : null];
    }
    // Some send it as a sign of life.
    if (value === null) return [];
    const chunks = (Array.isArray(value) ? value : [value]).map((each) =>
      chunkSchema.safeParse(each),
    );
    if (chunks.length === 0) throw this.#malformed(event, isCut);
    return chunks.map((chunk) => {
      if (!chunk.success) throw this.#malformed(event, isCut);
      // An event named `error` may hold the error itself.
      const isError = event.event === "error" && chunk.data.error == null && !isAnswer(chunk.data);
      return isError ? { error: value } : chunk.data;
    });
  }

  /** The same JSON would come again in place of the answer, so that it is no reason to retry. */
  #malformed(event: StreamEvent, isCut: boolean): FoundryError {
    return isCut || this.#answers > 0
      ? unreadable(event, this.#secrets)
      : noAnswer(event, this.#subject, this.#secrets);
  }

  /** The chat events in one event of the stream. Throws for an error inside a 200. */
  #eventsOf(event: StreamEvent, chunk: Chunk): ParsedEvent[] {
    if (chunk.error != null) throw this.#errorOf(event, chunk.error);
    if (!isNamed(event) && !isAnswer(chunk)) this.#assertNoError(event, chunk);
    const events: ParsedEvent[] = [];
    this.#answering ??= (typeof chunk.model === "string" && chunk.model) || null;
    const choice = chunk.choices;
    if (choice != null) {
      for (const part of this.#partsOf(choice, chunk.object)) events.push(...this.#shown(part));
    }
    if (chunk.usage != null) {
      const { inputTokens, outputTokens } = chunk.usage;
      const isCounted = inputTokens > 0 || outputTokens > 0;
      events.push({ type: "usage", usage: isCounted ? chunk.usage : null });
    }
    if (choice?.error != null) {
      const error = this.#errorOf(event, choice.error);
      // Without a text before it, the request can still be retried.
      if (!this.#hasWords) throw error;
      return [...events, { type: "aborted", error }];
    }
    this.hasOpenEnd ||= choice?.finish_reason === null;
    if (choice?.finish_reason) events.push(...endsOf(choice.finish_reason, this.#secrets));
    return events;
  }

  /** An error may be the event itself, without a member `error`. */
  #assertNoError(event: StreamEvent, chunk: Chunk): void {
    const { code, detail, message, object, type } = chunk;
    const hasKind = code != null || type != null;
    const isError =
      object === "error" ||
      detail != null ||
      chunk.success === false ||
      isFilled(chunk.errors) ||
      (message != null && hasKind);
    if (!isError && message == null) return;
    // A message alone in place of an answer may be of a server that is no engine.
    if (!isError && this.#answers === 0) throw noAnswer(event, this.#subject, this.#secrets);
    throw this.#errorOf(event, jsonOf(event));
  }

  #errorOf(event: StreamEvent, error: unknown): FoundryError {
    const words = hiddenWords(error, this.#secrets);
    return errorOfStreamEvent(words, this.#subject, words.text || shown(event, this.#secrets));
  }

  #partsOf({ delta, message, text }: Choice, object: unknown): readonly AnswerPart[] {
    const ofDelta = partsOfMessage(delta);
    const ofMessage = partsOfMessage(message);
    const isWhole = ofMessage !== null || text != null;
    if (ofDelta !== null || isWhole) this.#answers += 1;
    this.#usesDeltas ||= ofDelta !== null && ofDelta.length > 0;
    this.#isWhole = isWhole && !this.#usesDeltas && object !== "chat.completion.chunk";
    // S and C1 send both with the same text; a plain answer to a streamed request has only `message`.
    if (this.#usesDeltas) return ofDelta ?? [];
    if (ofMessage !== null && ofMessage.length > 0) return ofMessage;
    return text ? [{ type: "text", text }] : [];
  }

  #shown(part: AnswerPart): ParsedEvent[] {
    if (part.type === "calls" && this.#takesCalls) {
      this.#hasWords = true;
      return callPieces(part.value).map((piece) => ({ type: "call", piece }));
    }
    if (part.type === "other" || part.type === "calls") {
      if (this.#otherKinds.size < MOST_KINDS) this.#otherKinds.add(this.#secrets.hide(part.kind));
      return [];
    }
    this.#hasWords = true;
    this.#isRefusal ||= part.type === "refusal";
    return [{ type: part.type === "reasoning" ? "reasoning" : "text", text: part.text }];
  }
}

const isEnd = (type: ParsedEvent["type"]): boolean => type === "finish" || type === "aborted";

/** Whether it is an event of another kind than a chunk, such as `ping`. */
const isNamed = ({ event }: StreamEvent): boolean =>
  event !== null && event !== "message" && event !== "error";

function endsOf(finishReason: string, secrets: SecretMask): ParsedEvent[] {
  const meaning = meaningOf(finishReason);
  if (meaning === null) return [];
  const said = printable(secrets.hide(finishReason.slice(0, SEARCHED_OF_BODY)), MAX_UNKNOWN_WORD);
  if (meaning === "aborted") {
    const error = brokenOff(`The service broke the answer off (finish_reason ${said}).`, 200);
    return [{ type: "aborted", error }];
  }
  return [
    meaning === "unknown"
      ? { type: "finish", reason: null, said }
      : { type: "finish", reason: meaning },
  ];
}

/** @param status Set if the service itself reported the break. */
export const brokenOff = (what: string, status?: number): FoundryError =>
  new FoundryError("STREAM_INTERRUPTED", what, {
    status,
    action: "The text so far is kept. Try again; if it happens again, restart the service.",
    retryable: true,
  });

export const emptyStream = (): FoundryError =>
  new FoundryError("INVALID_RESPONSE", "The service ended its stream without an answer.", {
    action: "Try again; if it happens again, see the log of the service, or restart it.",
    retryable: true,
  });

const isAnswer = ({ choices, usage }: Chunk): boolean =>
  choices !== undefined || usage !== undefined;

const shown = ({ data }: StreamEvent, secrets: SecretMask): string =>
  secrets.hide(data.slice(0, 2000));

const wordsOf = ({ data }: StreamEvent, secrets: SecretMask): string =>
  secrets.hide(errorTextOf(data, "application/json", "nothing"));

function noAnswer(event: StreamEvent, subject: Subject, secrets: SecretMask): FoundryError {
  const said = wordsOf(event, secrets);
  const { kinds } = wordsOfError(jsonOf(event));
  const known = knownError({ text: said, kinds }, subject, { status: 200, detail: said });
  if (known !== null) return known;
  const message = sanitizeMessage(said);
  return new FoundryError(
    "INVALID_RESPONSE",
    `The service answered with something else than a completion. It said: ${message}`,
    {
      action:
        "Change what the message names, or check that the option `endpoint` is the service itself.",
      detail: shown(event, secrets),
    },
  );
}

const listed = (kinds: readonly string[]): string =>
  kinds.map((kind) => JSON.stringify(kind)).join(", ");

function onlyOthers(kinds: readonly string[]): FoundryError {
  return new FoundryError(
    "INVALID_RESPONSE",
    `The answer has no text, only content that cannot be shown: ${listed(kinds)}.`,
    { action: "Request text, or use a model that answers with text." },
  );
}

function unreadable(event: StreamEvent, secrets: SecretMask, isWords = false): FoundryError {
  const said = isWords ? ` It said: ${sanitizeMessage(wordsOf(event, secrets))}` : "";
  return new FoundryError(
    "INVALID_RESPONSE",
    `The service sent something in its stream that is not an answer.${said}`,
    {
      action: "Try again; if it happens again, restart or update the service.",
      retryable: true,
      detail: shown(event, secrets),
    },
  );
}
