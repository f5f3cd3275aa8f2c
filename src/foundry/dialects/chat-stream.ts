import {
  type EventStream,
  eventsIn,
  type HttpFailure,
  type HttpTransport,
  isDone,
  type ReadEvent,
  type StreamEvent,
} from "../../http/index.js";
import {
  COUNTS_AFTER_END_MS,
  FoundryError,
  isCancellation,
  toFoundryError,
} from "../../lib/index.js";
import { Allowance } from "./chat-chunk.js";
import { brokenOff, EventReader, emptyStream, type ParsedEvent } from "./chat-events.js";
import { type BodyQuirks, bodyOf, isForcedCall, type Refused, refusalsIn } from "./chat-request.js";
import type { Call, ChatEvent, ChatRequest, ChatStream, RequestPath } from "./dialect.js";
import { about, errorOfFailure } from "./failures.js";

/** The differences between servers in the stream of an answer. */
interface AnswerQuirks {
  /** Its finish_reason is "stop" also where the limit cut the answer off (#217). */
  readonly mistakesLimitForStop?: boolean;
  /** Its streams are tokens and `[DONE]`, so that an empty answer is `[DONE]` alone. */
  readonly sendsTokensAlone?: boolean;
  /**
   * Where its chunks have a `finish_reason` of `null`, the last one has a word. llama-cpp-python ends an answer with
   * `[DONE]` alone when another request comes.
   */
  readonly namesItsEnd?: boolean;
  /** Ids of all models that it lists. LM Studio may answer with another one than was asked for, which is loaded. */
  readonly listed?: ReadonlySet<string>;
}

/** The differences between servers in a chat request. */
export interface ChatQuirks extends RequestPath, BodyQuirks, AnswerQuirks {
  /** Its streams begin at once, so one that does not is no reason to request the answer in one piece. */
  readonly alwaysBeginsStreams?: boolean;
}

/** A chat as it is sent, and how its answer is read. */
interface SentChat extends RequestPath, AnswerQuirks {
  readonly request: ChatRequest;
  readonly body: object;
  /** Makes an error that refuses a part of the request one that is not retried. Default: the error as it is. */
  readonly refusal?: (error: FoundryError) => FoundryError;
  /** The chunk of a chat in an event; `null`: it brings nothing of the answer. Default: the event. */
  readonly chunkOf?: (event: StreamEvent) => StreamEvent | null;
}

/** What an event brings of an answer. */
type Item = readonly ParsedEvent[] | "done";

const NOTHING: Refused = new Set();
const same = <T>(value: T): T => value;

/**
 * Requests a chat without what the engine refuses, and resolves with its first token. Where it refuses
 * `stream`, in one piece.
 */
export async function openChat(
  transport: HttpTransport,
  request: ChatRequest,
  quirks: ChatQuirks,
  call: Call,
  refused: Refused = NOTHING,
): Promise<ChatStream> {
  const chat: SentChat = {
    ...quirks,
    request,
    body: bodyOf(request, refused, quirks),
    // A refusal of a part of the request is the same the next time.
    refusal: (error) =>
      refusalsIn(error, request, refused, quirks).length > 0
        ? error.reworded({ retryable: false })
        : error,
  };
  if (!refused.has("stream")) return openStream(transport, chat, call);
  const answer = await transport.request(specOf(chat, call));
  const found = eventsIn(answer.body);
  const whole = found.length === 0 ? [{ data: answer.body, event: null }] : found;
  const reader = readerOf(transport, chat);
  async function* items(): AsyncGenerator<Item> {
    for (const event of whole) yield readIn(event, reader).item;
  }
  return chatStream(answer, items(), reader, chat, null);
}

/** Requests a stream, and resolves with its first token. */
export async function openStream(
  transport: HttpTransport,
  chat: SentChat,
  call: Call,
): Promise<ChatStream> {
  const { refusal = same, chunkOf = same } = chat;
  let reader = readerOf(transport, chat);
  const stream = await transport.stream({
    ...specOf(chat, call),
    // What a failed attempt sent is no part of the answer.
    onAnswer: () => {
      reader = readerOf(transport, chat);
    },
    read: (event): ReadEvent<Item> => {
      const chunk = chunkOf(event);
      if (chunk === null) return { item: [], isPart: false };
      try {
        return readIn(chunk, reader);
      } catch (thrown) {
        // An error event: before the first token it can still be retried.
        throw refusal(toFoundryError(thrown));
      }
    },
  });
  return chatStream(stream, stream, reader, chat, COUNTS_AFTER_END_MS);
}

const readIn = (chunk: StreamEvent, reader: EventReader): ReadEvent<Item> =>
  isDone(chunk.data) ? { item: "done", isPart: true } : reader.read(chunk);

const specOf = ({ request, path, headLimitBytes, body, refusal = same }: SentChat, call: Call) => ({
  method: "POST" as const,
  path,
  headLimitBytes,
  body,
  ...call,
  toError: (failure: HttpFailure) => refusal(errorOfFailure(failure, about("chat", request.model))),
});

/** Some services give calls structured although the tools were described in the text. */
const readerOf = ({ secrets }: HttpTransport, { request, body, listed }: SentChat): EventReader =>
  new EventReader(request.model, secrets, request.tools !== undefined || "tools" in body, listed);

/**
 * The events of an answer. Resolves with the first one: an empty stream fails here, where the caller can
 * still retry. An error in the events gets what is known of their request.
 *
 * No generator, which would cost each event some turns of the microtask queue.
 *
 * @param afterEndMs How long its counts may take after its end; `null`: all has come.
 */
async function chatStream(
  { attempts, requestId }: Pick<EventStream<Item>, "attempts" | "requestId">,
  stream: AsyncIterable<Item>,
  reader: EventReader,
  chat: SentChat,
  afterEndMs: number | null,
): Promise<ChatStream> {
  const events = read(stream, reader, chat, afterEndMs);
  const next = async (): Promise<IteratorResult<ChatEvent>> => {
    try {
      return await events.next();
    } catch (thrown) {
      if (thrown instanceof FoundryError) {
        thrown.attempts = attempts;
        thrown.requestId ??= requestId;
      }
      throw thrown;
    }
  };
  let first: IteratorResult<ChatEvent> | null = await next();
  const iterator: AsyncIterator<ChatEvent> = {
    next: async () => {
      const result = first ?? (await next());
      first = null;
      return result;
    },
    // Ends the request.
    return: () => events.return(undefined),
  };
  const isForced = isForcedCall(chat.request, chat.body);
  return {
    attempts,
    warnings: [],
    isConstrained: "response_format" in chat.body || isForced,
    isForcedCall: isForced,
    [Symbol.asyncIterator]: () => iterator,
  };
}

async function* read(
  stream: AsyncIterable<Item>,
  reader: EventReader,
  { request, mistakesLimitForStop, sendsTokensAlone, namesItsEnd }: SentChat,
  afterEndMs: number | null,
): AsyncGenerator<ChatEvent> {
  const { maxTokens, tools } = request;
  let finished = false;
  let countedTokens = 0;
  const allowance = new Allowance(maxTokens);
  /** The end of an answer whose finish_reason is missing or unreliable, decided by its length. */
  const stop = (): Extract<ChatEvent, { readonly type: "finish" }> => ({
    type: "finish",
    // A piece has at least one token. The service's count comes before the end, or not in time.
    reason: Math.max(allowance.pieces, countedTokens) >= maxTokens ? "length" : "stop",
  });
  const events: AsyncIterator<Item, unknown> = stream[Symbol.asyncIterator]();
  // From the end of the answer on only the counts may follow, which are waited for briefly.
  let leftMs: number | null = null;
  try {
    for (;;) {
      const since = performance.now();
      const arrived = await nextOf(events, leftMs);
      if (arrived === null) break;
      // Without the time that the reader takes.
      if (leftMs !== null) leftMs -= performance.now() - since;
      if (arrived === "done") {
        if (reader.isEmpty && sendsTokensAlone !== true) throw emptyStream();
        yield* reader.conclude(finished);
        if (finished) return;
        const end = stop();
        // A whole call shows its end itself.
        const isOpen = namesItsEnd && reader.hasOpenEnd && tools === undefined;
        // The services of 2025 never send a finish_reason (#299, #399).
        yield isOpen && end.reason === "stop" ? { type: "finish", reason: null, said: null } : end;
        return;
      }
      for (const each of arrived) {
        // C1 sends "stop" after "tool_calls": the first finish_reason counts.
        if (finished && (each.type === "finish" || each.type === "aborted")) continue;
        if (each.type === "aborted") throw each.error;
        finished ||= each.type === "finish";
        if (each.type === "usage") countedTokens = each.usage?.outputTokens ?? 0;
        if (finished && each.type !== "usage") leftMs = afterEndMs;
        const isDoubtful = mistakesLimitForStop && each.type === "finish" && each.reason === "stop";
        const event = isDoubtful ? stop() : each;
        for (const allowed of allowance.limit(event)) yield allowed;
        if (allowance.isUsedUp) return;
      }
    }
  } finally {
    await events.return?.();
  }
  yield* reader.conclude(finished);
  if (finished) return;
  if (!reader.isWholeAnswer) throw brokenOff("The stream ended before the answer did.");
  yield stop();
}

/**
 * The next of a stream; `null` at its end.
 *
 * @param leftMs Milliseconds left to wait after the answer has ended; an error then counts as the end of the
 *   stream. `null`: the answer has not ended, so there is no limit here.
 */
async function nextOf(
  events: AsyncIterator<Item, unknown>,
  leftMs: number | null,
): Promise<Item | null> {
  if (leftMs === null) return itemOf(await events.next());
  if (leftMs <= 0) return null;
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<null>((resolve) => {
    // Not before what has arrived is read, however late the timer is.
    timer = setTimeout(() => setImmediate(resolve, null), leftMs);
  });
  try {
    return itemOf(await Promise.race([events.next(), timeUp]));
  } catch (thrown) {
    if (thrown instanceof FoundryError && isCancellation(thrown)) throw thrown;
    return null;
  } finally {
    clearTimeout(timer);
  }
}

const itemOf = (result: IteratorResult<Item, unknown> | null): Item | null =>
  result === null || result.done === true ? null : result.value;
