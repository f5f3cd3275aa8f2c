import {
  type EventStream,
  eventsIn,
  type HttpFailure,
  type HttpTransport,
  type StreamEvent,
} from "../../http/index.js";
import {
  COUNTS_AFTER_END_MS,
  FoundryError,
  isCancellation,
  MOST_MODELS_REMEMBERED,
  RecentMap,
  toFoundryError,
} from "../../lib/index.js";
import { Allowance } from "./chat-chunk.js";
import { brokenOff, EventReader, emptyStream } from "./chat-events.js";
import {
  type BodyQuirks,
  bodyOf,
  isForcedCall,
  type Refusable,
  type Refused,
  refusalsIn,
  warningsOf,
} from "./chat-request.js";
import type { Call, ChatEvent, ChatRequest, ChatStream, RequestPath } from "./dialect.js";
import { about, errorOfFailure } from "./failures.js";
import { SchemaOffer } from "./json-schema.js";

/** The differences between servers in the stream of an answer. */
interface AnswerQuirks {
  /** Its finish_reason is "stop" also where the limit cut the answer off (#217). */
  readonly mistakesLimitForStop?: boolean;
  /** Its streams are tokens and `[DONE]`, so that an empty answer is `[DONE]` alone. */
  readonly sendsTokensAlone?: boolean;
}

/** The differences between servers in a chat request. */
interface ChatQuirks extends RequestPath, BodyQuirks, AnswerQuirks {
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

/**
 * The chat without what the engine refuses. A refusal of a part of it is the same the next time, so it is not
 * retried.
 */
function sentChatOf(request: ChatRequest, quirks: ChatQuirks, refused: Refused): SentChat {
  return {
    ...quirks,
    request,
    body: bodyOf(request, refused, quirks),
    refusal: (error) =>
      refusalsIn(error, request, refused, quirks).length > 0
        ? error.reworded({ retryable: false })
        : error,
  };
}

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
  const chat = sentChatOf(request, quirks, refused);
  if (!refused.has("stream")) return openStream(transport, chat, call);
  const answer = await transport.request(specOf(chat, call));
  const found = eventsIn(answer.body);
  const whole = found.length === 0 ? [{ data: answer.body, event: null }] : found;
  return chatStream(answer, inOrder(whole), readerOf(transport, chat), chat);
}

/** Requests a stream, and resolves with its first token. */
export async function openStream(
  transport: HttpTransport,
  chat: SentChat,
  call: Call,
): Promise<ChatStream> {
  const { refusal = same, chunkOf = same } = chat;
  let reader = readerOf(transport, chat);
  const isStart = (event: StreamEvent): boolean => {
    const chunk = chunkOf(event);
    if (chunk === null) return false;
    if (isDone(chunk)) return true;
    try {
      return reader.readEarly(chunk).isPart;
    } catch (thrown) {
      throw refusal(toFoundryError(thrown));
    }
  };
  const stream = await transport.stream({
    ...specOf(chat, call),
    // What a failed attempt sent is no part of the answer.
    onAttempt: () => {
      reader = readerOf(transport, chat);
    },
    // An error event throws here: before the first token it can still be retried.
    isStart,
  });
  return chatStream(stream, stream, reader, chat);
}

const specOf = ({ request, path, headLimitBytes, body, refusal = same }: SentChat, call: Call) => ({
  method: "POST" as const,
  path,
  ...(headLimitBytes === undefined ? {} : { headLimitBytes }),
  body,
  ...call,
  toError: (failure: HttpFailure) => refusal(errorOfFailure(failure, about("chat", request.model))),
});

/** Some services give calls structured although the tools were described in the text. */
const readerOf = ({ secrets }: HttpTransport, { request, body }: SentChat): EventReader =>
  new EventReader(request.model, secrets, request.tools !== undefined || "tools" in body);

/**
 * The events of an answer. Resolves with the first one: an empty stream fails here, where the caller can
 * still retry. An error in the events gets what is known of their request.
 *
 * No generator, which would cost each event some turns of the microtask queue.
 */
async function chatStream(
  { attempts, requestId }: Pick<EventStream, "attempts" | "requestId">,
  stream: AsyncIterable<StreamEvent>,
  reader: EventReader,
  chat: SentChat,
): Promise<ChatStream> {
  const events = read(stream, reader, chat);
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

async function* inOrder<T>(all: readonly T[]): AsyncGenerator<T> {
  yield* all;
}

const isDone = ({ data }: StreamEvent): boolean => data.length < 100 && data.trim() === "[DONE]";

async function* read(
  stream: AsyncIterable<StreamEvent>,
  reader: EventReader,
  { request: { maxTokens }, mistakesLimitForStop, sendsTokensAlone, chunkOf = same }: SentChat,
): AsyncGenerator<ChatEvent> {
  let finished = false;
  let countedTokens = 0;
  const allowance = new Allowance(maxTokens);
  /** The end of an answer whose finish_reason is missing or unreliable, decided by its length. */
  const stop = (): ChatEvent => ({
    type: "finish",
    // A piece has at least one token. The service's count comes before the end, or not in time.
    reason: Math.max(allowance.pieces, countedTokens) >= maxTokens ? "length" : "stop",
  });
  const events: AsyncIterator<StreamEvent, unknown> = stream[Symbol.asyncIterator]();
  // From the end of the answer on only the counts may follow, which are waited for briefly.
  let leftMs: number | null = null;
  try {
    for (;;) {
      const since = performance.now();
      const arrived = await nextOf(events, leftMs);
      if (arrived === null) break;
      // Without the time that the reader takes.
      if (leftMs !== null) leftMs -= performance.now() - since;
      const chunk = chunkOf(arrived);
      if (chunk === null) continue;
      if (isDone(chunk)) {
        if (reader.isEmpty && sendsTokensAlone !== true) throw emptyStream();
        yield* reader.conclude(finished);
        // The services of 2025 never send a finish_reason (#299, #399).
        if (!finished) yield stop();
        return;
      }
      for (const each of reader.read(chunk).events) {
        // C1 sends "stop" after "tool_calls": the first finish_reason counts.
        if (finished && (each.type === "finish" || each.type === "aborted")) continue;
        if (each.type === "aborted") throw each.error;
        finished ||= each.type === "finish";
        if (each.type === "usage") countedTokens = each.usage?.outputTokens ?? 0;
        if (finished && each.type !== "usage") leftMs = COUNTS_AFTER_END_MS;
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
 * The next event of a stream; `null` at its end.
 *
 * @param leftMs Milliseconds left to wait after the answer has ended; an error then counts as the end of the
 *   stream. `null`: the answer has not ended, so there is no limit here.
 */
async function nextOf(
  events: AsyncIterator<StreamEvent, unknown>,
  leftMs: number | null,
): Promise<StreamEvent | null> {
  if (leftMs === null) return eventOf(await events.next());
  if (leftMs <= 0) return null;
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<null>((resolve) => {
    // Not before what has arrived is read, however late the timer is.
    timer = setTimeout(() => setImmediate(resolve, null), leftMs);
  });
  try {
    return eventOf(await Promise.race([events.next(), timeUp]));
  } catch (thrown) {
    if (thrown instanceof FoundryError && isCancellation(thrown)) throw thrown;
    return null;
  } finally {
    clearTimeout(timer);
  }
}

const eventOf = (result: IteratorResult<StreamEvent, unknown> | null): StreamEvent | null =>
  result === null || result.done === true ? null : result.value;

/** How often one request is sent again in another shape. Each refusal names something new. */
const MOST_CHANGES = 6;

/** What each model behind an endpoint refuses: its template may, or the engine itself. */
const refusedBy = new WeakMap<HttpTransport, Map<string, Refused>>();

/**
 * Requests a chat as the engine accepts it, and resolves with its first token. An engine that refuses
 * an optional part of the request by name is asked again without it. If a stream does not begin, not
 * even with a status, the answer is requested in one piece. What was found is remembered for the model
 * at this endpoint. A refusal of one schema is remembered for this schema alone.
 *
 * @param once Left out until the first refusal, and not remembered.
 */
export async function adaptedChat(
  transport: HttpTransport,
  request: ChatRequest,
  quirks: ChatQuirks,
  call: Call,
  once: Refused = NOTHING,
): Promise<ChatStream> {
  const { id } = request.model;
  const known = refusedBy.get(transport)?.get(id) ?? NOTHING;
  const refused = new Set([...known, ...once]);
  const offer = request.schema && new SchemaOffer(transport, id, request.schema);
  const foundHere = () => [...refused].filter((name) => !known.has(name) && !once.has(name));
  let attempts = 0;
  let hasHung = false;
  for (let changes = 0; ; changes += 1) {
    const sent = { ...request, schema: offer?.schema };
    try {
      const stream = await openChat(transport, sent, quirks, call, refused);
      remember(transport, id, foundHere());
      offer?.remember();
      return {
        ...stream,
        attempts: attempts + stream.attempts,
        warnings: warningsOf(refused, new Set([...known, ...once]), request, quirks),
      };
    } catch (thrown) {
      const error = toFoundryError(thrown);
      attempts += error.attempts;
      error.attempts = attempts;
      const isHanging =
        isSilent(error) && !refused.has("stream") && quirks.alwaysBeginsStreams !== true;
      const found = isHanging ? (["stream"] as const) : refusalsIn(error, sent, refused, quirks);
      if (found.length === 0 || changes === MOST_CHANGES) {
        // A slow model is no proof that its engine cannot stream.
        if (!hasHung && !isHanging) remember(transport, id, [...foundHere(), ...found]);
        // An answer in one piece takes longer than the limit, so the next one is streamed again.
        if (known.has("stream") && isSilent(error)) forgetStream(transport, id);
        throw error;
      }
      hasHung ||= isHanging;
      for (const name of once) if (!known.has(name)) refused.delete(name);
      for (const name of found) {
        if (name === "schema") offer?.refused(error);
        else refused.add(name);
      }
    }
  }
}

/** The service sent nothing, not even a status. */
const isSilent = ({ code, phase, status }: FoundryError): boolean =>
  code === "TIMEOUT" && phase === "first_byte" && status === null;

/** Adds what a request found to what is known now: parallel requests may have found or forgotten something. */
function remember(transport: HttpTransport, model: string, found: Iterable<Refusable>): void {
  const models = refusedBy.get(transport) ?? new RecentMap<string, Refused>(MOST_MODELS_REMEMBERED);
  const all = new Set([...(models.get(model) ?? []), ...found]);
  if (all.size > 0) refusedBy.set(transport, models.set(model, all));
}

function forgetStream(transport: HttpTransport, model: string): void {
  const models = refusedBy.get(transport);
  const others = [...(models?.get(model) ?? [])].filter((name) => name !== "stream");
  models?.set(model, new Set(others));
}
