import {
  errorTextOf,
  type HttpFailure,
  type HttpTransport,
  type StreamEvent,
  wordsOfError,
} from "../../http/index.js";
import {
  FoundryError,
  jsonFrom,
  MAX_UNKNOWN_WORD,
  printable,
  SEARCHED_OF_BODY,
  type SecretMask,
} from "../../lib/index.js";
import { Allowance, type Chunk, chunkSchema, FINISH_REASONS } from "./chat-chunk.js";
import { bodyOf, type Refused, refusalsIn } from "./chat-request.js";
import type { Call, ChatEvent, ChatRequest, ChatStream } from "./dialect.js";
import { about, errorOfFailure, errorOfStreamEvent, knownError, type Subject } from "./failures.js";
import { sanitizeMessage } from "./sanitize-message.js";

/** Values of finish_reason with which an engine aborts an answer. */
const ABORTS = new Set(["abort", "error"]);

/** A chat event, or the end of an aborted answer, which becomes an error after its text. */
type ParsedEvent = ChatEvent | { readonly type: "aborted"; readonly reason: string };

/** The differences between servers in a chat request. */
export interface ChatQuirks {
  readonly path: string;
  readonly headLimitBytes?: number;
  /** Its finish_reason is "stop" also where the limit cut the answer off (#217). */
  readonly mistakesLimitForStop?: boolean;
  /** It may only accept a seed under the name `random_seed`. */
  readonly namesSeedRandomSeed?: boolean;
  /** Its streams begin at once, so one that does not is no reason to request the answer in one piece. */
  readonly alwaysBeginsStreams?: boolean;
}

/** Requests a chat without what the engine refuses, and resolves with its first token. */
export async function openChat(
  transport: HttpTransport,
  request: ChatRequest,
  quirks: ChatQuirks,
  call: Call,
  refused: Refused = new Set(),
): Promise<ChatStream> {
  const subject = about("chat", request.model);
  const reader = new EventReader(subject, transport.secrets);
  const stream = await transport.stream({
    method: "POST",
    path: quirks.path,
    body: bodyOf(request, refused, quirks),
    ...call,
    ...(quirks.headLimitBytes === undefined ? {} : { headLimitBytes: quirks.headLimitBytes }),
    toError: refusalError(request, subject, refused),
    // An error event throws here: before the first token it can still be retried.
    isStart: (event) => isDone(event) || reader.readEarly(event).isPart,
  });
  const { requestId } = stream;
  const events = withRequestId(
    requestId,
    read(stream, reader, { ...quirks, maxTokens: request.maxTokens }),
  );
  // An empty stream fails here, where the caller can still retry.
  const first = await events.next();
  return {
    attempts: stream.attempts,
    warnings: [],
    [Symbol.asyncIterator]: () => resume(first, events),
  };
}

/** A refusal of a part of the request is the same the next time, whatever its status. */
const refusalError =
  (request: ChatRequest, subject: Subject, refused: Refused) =>
  (failure: HttpFailure): FoundryError => {
    const error = errorOfFailure(failure, subject);
    const isRefusal = refusalsIn(error, request, refused).length > 0;
    return isRefusal ? error.reworded({ retryable: false }) : error;
  };

async function* withRequestId(
  id: string | null,
  events: AsyncGenerator<ChatEvent>,
): AsyncGenerator<ChatEvent> {
  try {
    yield* events;
  } catch (thrown) {
    if (thrown instanceof FoundryError) thrown.requestId ??= id;
    throw thrown;
  }
}

async function* resume(
  first: IteratorResult<ChatEvent>,
  rest: AsyncGenerator<ChatEvent>,
): AsyncGenerator<ChatEvent> {
  try {
    if (first.done) return;
    yield first.value;
    yield* rest;
  } finally {
    // Ends the upstream request also when the consumer stops at the first event.
    await rest.return(undefined);
  }
}

/** Requests a chat without streaming. For services whose streams hide the reason of a failure. */
export async function wholeChat(
  transport: HttpTransport,
  request: ChatRequest,
  quirks: ChatQuirks,
  call: Call,
  refused: Refused = new Set(),
): Promise<ChatStream> {
  const subject = about("chat", request.model);
  const body = bodyOf(request, new Set([...refused, "stream", "stream_options"]), quirks);
  const answer = await transport.request({
    method: "POST",
    path: quirks.path,
    body,
    ...call,
    toError: refusalError(request, subject, refused),
  });
  const whole = { data: answer.body, event: null };
  const reader = new EventReader(subject, transport.secrets);
  const { events, isAnswer } = reader.read(whole);
  if (!isAnswer) throw reader.noAnswer(whole);
  const allowance = new Allowance(request.maxTokens);
  return {
    attempts: answer.attempts,
    warnings: [],
    async *[Symbol.asyncIterator]() {
      for (const event of events) yield* allowance.limit(orAborted(event));
    },
  };
}

interface ReadEvent {
  readonly events: readonly ParsedEvent[];
  /** Whether it has the shape of an answer, though perhaps without text. */
  readonly isAnswer: boolean;
  /** Whether it contains text, thinking or the first end of the answer. */
  readonly isPart: boolean;
}

class EventReader {
  readonly #subject: Subject;
  readonly #secrets: SecretMask;
  /** The events before the first token, which the transport reads before the consumer does. */
  readonly #early = new WeakMap<StreamEvent, ReadEvent>();
  #hasEnded = false;

  constructor(subject: Subject, secrets: SecretMask) {
    this.#subject = subject;
    this.#secrets = secrets;
  }

  /** Reads an event that {@link read} is going to be asked for too. */
  readEarly(event: StreamEvent): ReadEvent {
    const result = this.read(event);
    this.#early.set(event, result);
    return result;
  }

  read(event: StreamEvent): ReadEvent {
    const early = this.#early.get(event);
    if (early !== undefined) return early;
    const chunk = parseChunk(event, this.#secrets);
    const events = eventsOf(event, chunk, this.#subject, this.#secrets);
    const isPart = events.some(
      ({ type }) => type === "text" || type === "reasoning" || (isEnd(type) && !this.#hasEnded),
    );
    this.#hasEnded ||= events.some(({ type }) => isEnd(type));
    return { events, isAnswer: isAnswer(chunk), isPart };
  }

  noAnswer(event: StreamEvent): FoundryError {
    return noAnswer(event, this.#subject, this.#secrets);
  }
}

const isEnd = (type: ParsedEvent["type"]): boolean => type === "finish" || type === "aborted";
const isDone = ({ data }: StreamEvent): boolean => data.length < 100 && data.trim() === "[DONE]";

async function* read(
  stream: AsyncIterable<StreamEvent>,
  reader: EventReader,
  {
    maxTokens,
    mistakesLimitForStop = false,
  }: Pick<ChatQuirks, "mistakesLimitForStop"> & {
    readonly maxTokens: number;
  },
): AsyncGenerator<ChatEvent> {
  let finished = false;
  const allowance = new Allowance(maxTokens);
  /** The end of an answer whose finish_reason is missing or unreliable, decided by its length. */
  const stop = (): ChatEvent => ({
    type: "finish",
    // A piece has at least one token.
    reason: allowance.pieces >= maxTokens ? "length" : "stop",
  });
  let firstOther: StreamEvent | null = null;
  let isAnswered = false;
  for await (const event of stream) {
    if (isDone(event)) {
      // The services of 2025 never send a finish_reason (#299, #399).
      if (!finished) yield stop();
      return;
    }
    const { events, isAnswer } = reader.read(event);
    if (isAnswer) isAnswered = true;
    else firstOther ??= event;
    for (const each of events) {
      // C1 sends "stop" after "tool_calls": the first finish_reason counts.
      if (each.type === "finish" && finished) continue;
      finished ||= each.type === "finish";
      const isDoubtful = mistakesLimitForStop && each.type === "finish" && each.reason === "stop";
      yield* allowance.limit(isDoubtful ? stop() : orAborted(each));
      if (allowance.isUsedUp) return;
    }
  }
  if (finished) return;
  throw isAnswered || firstOther === null
    ? brokenOff("The stream ended before the answer did.")
    : reader.noAnswer(firstOther);
}

/** @throws FoundryError `STREAM_INTERRUPTED` where the service aborted the answer. */
function orAborted(event: ParsedEvent): ChatEvent {
  if (event.type !== "aborted") return event;
  throw brokenOff(`The service broke the answer off (finish_reason ${event.reason}).`);
}

const brokenOff = (what: string): FoundryError =>
  new FoundryError("STREAM_INTERRUPTED", what, {
    action: "The text so far is kept. Try again; if it happens again, restart the service.",
    retryable: true,
  });

/** The chat events in one event of the stream. Throws for an error inside a 200. */
function eventsOf(
  event: StreamEvent,
  chunk: Chunk,
  subject: Subject,
  secrets: SecretMask,
): ParsedEvent[] {
  if (chunk.error != null) {
    const { text, kinds } = wordsOfError(chunk.error);
    const hidden = secrets.hide(text.slice(0, SEARCHED_OF_BODY));
    const words = { text: hidden, kinds: kinds.map((kind) => secrets.hide(kind)) };
    throw errorOfStreamEvent(words, subject, hidden || shown(event, secrets));
  }
  const isError = chunk.message != null || chunk.detail != null || chunk.object === "error";
  if (isError && !isAnswer(chunk)) throw noAnswer(event, subject, secrets);
  const events: ParsedEvent[] = [];
  const choice = chunk.choices;
  // S and C1 send both with the same text; a plain answer to a streamed request has only `message`.
  const content = choice?.delta ?? choice?.message;
  const reasoning = content?.reasoning_content ?? content?.reasoning;
  if (reasoning) events.push({ type: "reasoning", text: reasoning });
  if (content?.content) events.push({ type: "text", text: content.content });
  if (chunk.usage != null) {
    // Every prompt has tokens.
    events.push({ type: "usage", usage: chunk.usage.inputTokens === 0 ? null : chunk.usage });
  }
  if (choice?.finish_reason) events.push(endOf(choice.finish_reason, secrets));
  return events;
}

function endOf(finishReason: string, secrets: SecretMask): ParsedEvent {
  if (ABORTS.has(finishReason)) return { type: "aborted", reason: finishReason };
  const reason = FINISH_REASONS.get(finishReason);
  if (reason !== undefined) return { type: "finish", reason };
  return {
    type: "finish",
    reason: null,
    said: printable(secrets.hide(finishReason.slice(0, SEARCHED_OF_BODY)), MAX_UNKNOWN_WORD),
  };
}

const isAnswer = ({ choices, usage }: Chunk): boolean =>
  choices !== undefined || usage !== undefined;

const shown = ({ data }: StreamEvent, secrets: SecretMask): string =>
  secrets.hide(data.slice(0, 2000));

function noAnswer(event: StreamEvent, subject: Subject, secrets: SecretMask): FoundryError {
  const said = secrets.hide(errorTextOf(event.data, "application/json", "nothing"));
  const { kinds } = wordsOfError(jsonFrom(event.data));
  const known = knownError({ text: said, kinds }, subject, { status: 200, detail: said });
  if (known !== null) return known;
  const message = sanitizeMessage(said);
  return new FoundryError(
    "INVALID_RESPONSE",
    `The service answered with something else than a completion. It said: ${message}`,
    {
      action:
        "Change what the message names, or check that FOUNDRY_ENDPOINT is the service itself.",
      detail: shown(event, secrets),
    },
  );
}

function parseChunk(event: StreamEvent, secrets: SecretMask): Chunk {
  const chunk = chunkSchema.safeParse(jsonFrom(event.data));
  if (chunk.success) return chunk.data;
  throw new FoundryError(
    "INVALID_RESPONSE",
    "The service sent something in its stream that is not an answer.",
    {
      action: "Try again; if it happens again, restart or update the service.",
      retryable: true,
      detail: shown(event, secrets),
    },
  );
}
