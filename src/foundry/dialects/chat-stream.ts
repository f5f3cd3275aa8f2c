import {
  type EventStream,
  eventsIn,
  type HttpTransport,
  type StreamEvent,
} from "../../http/index.js";
import {
  FoundryError,
  MOST_MODELS_REMEMBERED,
  RecentMap,
  toFoundryError,
} from "../../lib/index.js";
import { Allowance } from "./chat-chunk.js";
import { brokenOff, EventReader, type ParsedEvent } from "./chat-events.js";
import {
  type BodyQuirks,
  bodyOf,
  isForcedCall,
  type Refusable,
  type Refused,
  refusalsIn,
  warningsOf,
} from "./chat-request.js";
import type { Call, ChatEvent, ChatRequest, ChatStream } from "./dialect.js";
import { EventIterator } from "./event-iterator.js";
import { about, errorOfFailure } from "./failures.js";
import { SchemaOffer } from "./json-schema.js";

/** The differences between servers in a chat request. */
export interface ChatQuirks extends BodyQuirks {
  readonly path: string;
  readonly headLimitBytes?: number;
  /** Its finish_reason is "stop" also where the limit cut the answer off (#217). */
  readonly mistakesLimitForStop?: boolean;
  /** Its streams are tokens and `[DONE]`, so that an empty answer is `[DONE]` alone. */
  readonly sendsTokensAlone?: boolean;
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
  const body = bodyOf(request, refused, quirks);
  const newReader = () => new EventReader(subject, transport.secrets, takesCalls(request, body));
  let reader = newReader();
  const orRefusal = notRetriedRefusal(request, refused, quirks);
  const isStart = (event: StreamEvent): boolean => {
    if (isDone(event)) return true;
    try {
      return reader.readEarly(event).isPart;
    } catch (thrown) {
      throw orRefusal(toFoundryError(thrown));
    }
  };
  const stream = await transport.stream({
    method: "POST",
    path: quirks.path,
    body,
    ...call,
    ...(quirks.headLimitBytes === undefined ? {} : { headLimitBytes: quirks.headLimitBytes }),
    toError: (failure) => orRefusal(errorOfFailure(failure, subject)),
    // What a failed attempt sent is no part of the answer.
    onAttempt: () => {
      reader = newReader();
    },
    // An error event throws here: before the first token it can still be retried.
    isStart,
  });
  const events = read(stream, reader, { ...quirks, maxTokens: request.maxTokens });
  return chatStream(stream, events, schemaFacts(request, refused, quirks, body));
}

type SchemaFacts = Pick<ChatStream, "isConstrained" | "isForcedCall">;
/** Some services give calls structured although the tools were described in the text. */
const takesCalls = (request: ChatRequest, body: object): boolean =>
  request.tools !== undefined || "tools" in body;

function schemaFacts(
  request: ChatRequest,
  refused: Refused,
  quirks: ChatQuirks,
  body: object,
): SchemaFacts {
  const isForced = isForcedCall(request, refused, quirks);
  return { isConstrained: "response_format" in body || isForced, isForcedCall: isForced };
}

/** A refusal of a part of the request is the same the next time, whatever its status. */
const notRetriedRefusal =
  (request: ChatRequest, refused: Refused, quirks: ChatQuirks) =>
  (error: FoundryError): FoundryError => {
    const isRefusal = refusalsIn(error, request, refused, quirks).length > 0;
    return isRefusal ? error.reworded({ retryable: false }) : error;
  };

/**
 * The events of an answer. Resolves with the first one: an empty stream fails here, where the caller can
 * still retry. An error in the events gets what is known of their request.
 *
 * No generator, which would cost each event some turns of the microtask queue.
 */
export async function chatStream(
  { attempts, requestId }: Pick<EventStream, "attempts" | "requestId">,
  events: AsyncGenerator<ChatEvent>,
  facts: SchemaFacts,
): Promise<ChatStream> {
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
  return { attempts, warnings: [], ...facts, [Symbol.asyncIterator]: () => iterator };
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
    toError: (failure) =>
      notRetriedRefusal(request, refused, quirks)(errorOfFailure(failure, subject)),
  });
  const found = eventsIn(answer.body);
  const whole = found.length === 0 ? [{ data: answer.body, event: null }] : found;
  const reader = new EventReader(subject, transport.secrets, takesCalls(request, body));
  const events = read(inOrder(whole), reader, { ...quirks, maxTokens: request.maxTokens });
  return chatStream(answer, events, schemaFacts(request, refused, quirks, body));
}

async function* inOrder<T>(all: readonly T[]): AsyncGenerator<T> {
  yield* all;
}

export const isDone = ({ data }: StreamEvent): boolean =>
  data.length < 100 && data.trim() === "[DONE]";

export async function* read(
  stream: AsyncIterable<StreamEvent>,
  reader: EventReader,
  {
    maxTokens,
    mistakesLimitForStop = false,
    sendsTokensAlone = false,
  }: Pick<ChatQuirks, "mistakesLimitForStop" | "sendsTokensAlone"> & {
    readonly maxTokens: number;
  },
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
  const events = new EventIterator(stream);
  try {
    for (;;) {
      const arrived = await events.next();
      if (arrived === null) break;
      if (isDone(arrived)) {
        if (reader.isEmpty && !sendsTokensAlone) throw emptyStream();
        yield* reader.conclude(finished);
        // The services of 2025 never send a finish_reason (#299, #399).
        if (!finished) yield stop();
        return;
      }
      for (const each of reader.read(arrived).events) {
        // C1 sends "stop" after "tool_calls": the first finish_reason counts.
        if (finished && (each.type === "finish" || each.type === "aborted")) continue;
        finished ||= each.type === "finish";
        if (each.type === "usage") countedTokens = each.usage?.outputTokens ?? 0;
        if (finished && each.type !== "usage") events.answerEnded();
        const isDoubtful = mistakesLimitForStop && each.type === "finish" && each.reason === "stop";
        const event = isDoubtful ? stop() : orAborted(each);
        for (const allowed of allowance.limit(event)) yield allowed;
        if (allowance.isUsedUp) return;
      }
    }
  } finally {
    await events.leave();
  }
  yield* reader.conclude(finished);
  if (finished) return;
  if (!reader.isWholeAnswer) throw brokenOff("The stream ended before the answer did.");
  yield stop();
}

/** @throws FoundryError Where the service aborted the answer. */
function orAborted(event: ParsedEvent): ChatEvent {
  if (event.type !== "aborted") return event;
  throw event.error;
}

const emptyStream = (): FoundryError =>
  new FoundryError("INVALID_RESPONSE", "The service ended its stream without an answer.", {
    action: "Try again; if it happens again, see the log of the service, or restart it.",
    retryable: true,
  });

/** How often one request is sent again in another shape. Each refusal names something new. */
const MOST_CHANGES = 6;

const NOTHING: Refused = new Set();

/** What each model behind an endpoint refuses: its template may, or the engine itself. */
const refusedBy = new WeakMap<HttpTransport, Map<string, Refused>>();

/**
 * Requests a chat as the engine accepts it, and resolves with its first token. An engine that refuses
 * an optional part of the request by name is asked again without it. If a stream does not begin, not
 * even with a status, the answer is requested in one piece. What was found is remembered for the model
 * at this endpoint. A refusal of one schema is remembered for this schema alone.
 */
export async function adaptedChat(
  transport: HttpTransport,
  request: ChatRequest,
  quirks: ChatQuirks,
  call: Call,
): Promise<ChatStream> {
  const { id } = request.model;
  const known = refusedBy.get(transport)?.get(id) ?? NOTHING;
  const refused = new Set(known);
  const offer = new SchemaOffer(transport, id, request.schema);
  let attempts = 0;
  let hasHung = false;
  for (let changes = 0; ; changes += 1) {
    const open = refused.has("stream") ? wholeChat : openChat;
    const sent = { ...request, schema: offer.schema };
    try {
      const stream = await open(transport, sent, quirks, call, refused);
      remember(transport, id, refused);
      offer.remember();
      const isNew = (name: Refusable) => refused.has(name) && !known.has(name);
      return {
        attempts: attempts + stream.attempts,
        warnings: warningsOf(refused, isNew, request, quirks),
        isConstrained: stream.isConstrained,
        isForcedCall: stream.isForcedCall,
        [Symbol.asyncIterator]: () => stream[Symbol.asyncIterator](),
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
        if (!hasHung && !isHanging) remember(transport, id, new Set([...refused, ...found]));
        // An answer in one piece takes longer than the limit, so the next one is streamed again.
        if (known.has("stream") && isSilent(error)) forgetStream(transport, id, known);
        throw error;
      }
      hasHung ||= isHanging;
      for (const name of found) {
        if (name === "schema") offer.refused(error);
        else refused.add(name);
      }
    }
  }
}

/** The service sent nothing, not even a status. */
const isSilent = ({ code, phase, status }: FoundryError): boolean =>
  code === "TIMEOUT" && phase === "first_byte" && status === null;

function forgetStream(transport: HttpTransport, model: string, known: Refused): void {
  const others = [...known].filter((name) => name !== "stream");
  refusedBy.get(transport)?.set(model, new Set(others));
}

function remember(transport: HttpTransport, model: string, refused: Refused): void {
  if (refused.size === 0) return;
  const models = refusedBy.get(transport) ?? new RecentMap<string, Refused>(MOST_MODELS_REMEMBERED);
  refusedBy.set(transport, models.set(model, refused));
}
