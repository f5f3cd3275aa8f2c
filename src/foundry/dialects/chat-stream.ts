import { z } from "zod";
import { errorTextOf, type HttpTransport, type StreamEvent } from "../../http/index.js";
import {
  FoundryError,
  jsonFrom,
  MAX_TOKEN_COUNT,
  MAX_UNKNOWN_WORD,
  printable,
  SEARCHED_OF_BODY,
  type SecretMask,
} from "../../lib/index.js";
import { Allowance } from "./allowance.js";
import type { Call, ChatEvent, ChatRequest, ChatStream, FinishReason } from "./dialect.js";
import { about, errorOfFailure, errorOfStreamEvent, type Subject } from "./failures.js";
import { sanitizeMessage } from "./sanitize-message.js";

/**
 * The stream of `/v1/chat/completions`, which all servers share but for its flaws: text in `delta` or
 * `message` or both, usage in one chunk or in every one, a finish_reason that never comes, errors
 * inside a 200, an end without `[DONE]` (docs/foundry-local.md, section 4).
 */

const textSchema = z.string().nullish().catch(null);
const deltaSchema = z
  .object({ content: textSchema, reasoning_content: textSchema, reasoning: textSchema })
  .nullish()
  .catch(null);
const choiceSchema = z.object({
  delta: deltaSchema,
  message: deltaSchema,
  finish_reason: textSchema,
});
const countSchema = z.int().min(0).max(MAX_TOKEN_COUNT);
const usageSchema = z
  .object({ prompt_tokens: countSchema, completion_tokens: countSchema })
  .transform(({ prompt_tokens, completion_tokens }) => ({
    inputTokens: prompt_tokens,
    outputTokens: completion_tokens,
  }))
  // Fractions, negative ones, words: what cannot be a count of tokens is none.
  .catch({ inputTokens: 0, outputTokens: 0 });
const chunkSchema = z.object({
  // One is asked for; how many others there may be is not looked at.
  choices: z
    .array(z.unknown())
    .transform(([first = null]) => first)
    .pipe(choiceSchema.nullable())
    .nullish(),
  usage: usageSchema.nullish(),
  error: z.unknown().optional(),
  object: z.unknown().optional(),
  message: z.unknown().optional(),
  detail: z.unknown().optional(),
});
type Chunk = z.output<typeof chunkSchema>;

/** The shapes of an `error`; one of any other shape is an error without words. */
const errorObjectSchema = z.object({ message: textSchema, type: textSchema });
const saidSchema = z.union([
  z.string().transform((message) => ({ message, type: null })),
  errorObjectSchema,
]);
const errorSchema = z
  .union([
    z
      .array(saidSchema)
      .min(1)
      .transform(([first]) => first),
    saidSchema,
  ])
  .catch(undefined);

const FINISH_REASONS: ReadonlyMap<string, FinishReason> = new Map([
  ["stop", "stop"],
  ["length", "length"],
  ["tool_calls", "tool_calls"],
  ["function_call", "tool_calls"],
  ["content_filter", "content_filter"],
]);

/** Ends that are none: the engine gave up, or somebody made it. */
const BREAK_OFFS = new Set(["abort", "error"]);

/** What an event says, before it is known whether the answer is whole. */
type StatusUpdate = ChatEvent | { readonly type: "broken_off"; readonly said: string };

/** What differs between servers in how a chat is asked for. */
export interface ChatQuirks {
  readonly path: string;
  readonly headLimitBytes?: number;
  /** It says "stop" also where the limit cut the answer off (#217). */
  readonly mistakesLimitForStop?: boolean;
  /** It may know a seed by this name alone. */
  readonly namesSeedRandomSeed?: boolean;
}

/** Asks for a chat and resolves with its first token. */
export async function openChat(
  transport: HttpTransport,
  request: ChatRequest,
  quirks: ChatQuirks,
  call: Call,
): Promise<ChatStream> {
  const subject = about("chat", request.model);
  const reader = new EventReader(subject, transport.secrets);
  const stream = await transport.stream({
    method: "POST",
    path: quirks.path,
    body: { ...bodyOf(request), ...randomSeedOf(request, quirks) },
    ...call,
    ...(quirks.headLimitBytes === undefined ? {} : { headLimitBytes: quirks.headLimitBytes }),
    toError: (failure) => errorOfFailure(failure, subject),
    // An error event throws here, so that one before the first token can still be retried.
    isStart: (event) => isDone(event) || reader.read(event).isPart,
  });
  const events = read(stream, reader, { ...quirks, maxTokens: request.maxTokens });
  // An empty stream fails here, while the caller can still do something about it.
  const first = await events.next();
  return { attempts: stream.attempts, [Symbol.asyncIterator]: () => resume(first, events) };
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
    // Also when the reader stops at the first event: the upstream request must not outlive it.
    await rest.return(undefined);
  }
}

/**
 * Asks for a chat in one piece. For services whose streams hide why they failed; slower to show
 * anything, but what it says is whole.
 */
export async function wholeChat(
  transport: HttpTransport,
  request: ChatRequest,
  quirks: ChatQuirks,
  call: Call,
): Promise<ChatStream> {
  const subject = about("chat", request.model);
  const { stream: _, stream_options: __, ...body } = bodyOf(request);
  const answer = await transport.request({
    method: "POST",
    path: quirks.path,
    body,
    ...call,
    toError: (failure) => errorOfFailure(failure, subject),
  });
  const whole = { data: answer.body, event: null };
  const chunk = parseChunk(whole, transport.secrets);
  const events = eventsOf(whole, chunk, subject, transport.secrets);
  if (!isAnswer(chunk)) throw noAnswer(whole, transport.secrets);
  const allowance = new Allowance(request.maxTokens);
  return {
    attempts: answer.attempts,
    async *[Symbol.asyncIterator]() {
      for (const news of events) yield* allowance.limit(told(news));
    },
  };
}

interface ReadEvent {
  readonly chunk: Chunk;
  readonly news: readonly StatusUpdate[];
  /** Whether it brings any of the answer: the end counts as often as it can come, which is once. */
  readonly isPart: boolean;
}

/** Parses each event once: both the transport and the reader of the answer ask for it. */
class EventReader {
  readonly #subject: Subject;
  readonly #secrets: SecretMask;
  #event: StreamEvent | null = null;
  #read: ReadEvent | null = null;
  #hasEnded = false;

  constructor(subject: Subject, secrets: SecretMask) {
    this.#subject = subject;
    this.#secrets = secrets;
  }

  read(event: StreamEvent): ReadEvent {
    if (this.#event === event && this.#read !== null) return this.#read;
    const chunk = parseChunk(event, this.#secrets);
    const news = eventsOf(event, chunk, this.#subject, this.#secrets);
    const isPart = news.some(
      ({ type }) => type === "text" || type === "reasoning" || (isEnd(type) && !this.#hasEnded),
    );
    this.#hasEnded ||= news.some(({ type }) => isEnd(type));
    this.#event = event;
    this.#read = { chunk, news, isPart };
    return this.#read;
  }

  noAnswer(event: StreamEvent): FoundryError {
    return noAnswer(event, this.#secrets);
  }
}

const isEnd = (type: StatusUpdate["type"]): boolean => type === "finish" || type === "broken_off";
const isDone = ({ data }: StreamEvent): boolean => data.length < 100 && data.trim() === "[DONE]";

function bodyOf(request: ChatRequest) {
  return {
    model: request.model.id,
    messages: request.messages,
    // Always sent: the services' own default cuts answers off silently (#217).
    max_tokens: request.maxTokens,
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(request.topP === undefined ? {} : { top_p: request.topP }),
    ...(request.seed === undefined ? {} : { seed: request.seed }),
    stream: true,
    stream_options: { include_usage: true },
  };
}

const randomSeedOf = ({ seed }: ChatRequest, { namesSeedRandomSeed }: ChatQuirks) =>
  seed === undefined || namesSeedRandomSeed !== true ? {} : { random_seed: seed };

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
  /** Where nobody says it, or nobody who is to be believed: it was cut off if it is as long as allowed. */
  const stop = (): ChatEvent => ({
    type: "finish",
    // Tokens at least: a piece is one or several.
    reason: allowance.pieces >= maxTokens ? "length" : "stop",
  });
  /** The first event that is no part of an answer. */
  let stranger: StreamEvent | null = null;
  let isAnswered = false;
  for await (const event of stream) {
    if (isDone(event)) {
      // Services of 2025 never send a finish_reason (#299, #399): a proper end is a stop.
      if (!finished) yield stop();
      return;
    }
    const { chunk, news: all } = reader.read(event);
    if (isAnswer(chunk)) isAnswered = true;
    else stranger ??= event;
    for (const news of all) {
      // C1 sends "stop" after "tool_calls": the first word counts.
      if (news.type === "finish" && finished) continue;
      finished ||= news.type === "finish";
      const isDoubtful = mistakesLimitForStop && news.type === "finish" && news.reason === "stop";
      yield* allowance.limit(isDoubtful ? stop() : told(news));
      if (allowance.isUsedUp) return;
    }
  }
  if (finished) return;
  throw isAnswered || stranger === null
    ? brokenOff("The stream ended before the answer did.")
    : reader.noAnswer(stranger);
}

/** StatusUpdate as it is passed on. Throws where the service broke the answer off, after the text of it. */
function told(news: StatusUpdate): ChatEvent {
  if (news.type !== "broken_off") return news;
  throw brokenOff(`The service broke the answer off (finish_reason ${news.said}).`);
}

const brokenOff = (what: string): FoundryError =>
  new FoundryError("STREAM_INTERRUPTED", what, {
    action: "The text so far is kept. Try again; if it happens again, restart the service.",
    retryable: true,
  });

/** What one event of the stream says. Throws for an error inside a 200. */
function eventsOf(
  event: StreamEvent,
  chunk: Chunk,
  subject: Subject,
  secrets: SecretMask,
): StatusUpdate[] {
  if (chunk.error != null) {
    const { message, type } = errorSchema.parse(chunk.error) ?? {};
    const said = secrets.hide((message ?? "").slice(0, SEARCHED_OF_BODY));
    throw errorOfStreamEvent(said, type ?? null, subject, said || shown(event, secrets));
  }
  const hasWords = chunk.message != null || chunk.detail != null || chunk.object === "error";
  if (hasWords && !isAnswer(chunk)) throw noAnswer(event, secrets);
  const news: StatusUpdate[] = [];
  const choice = chunk.choices;
  // S and C1 send both with the same text; a plain answer to a streamed request has only `message`.
  const said = choice?.delta ?? choice?.message;
  const reasoning = said?.reasoning_content ?? said?.reasoning;
  if (reasoning) news.push({ type: "reasoning", text: reasoning });
  if (said?.content) news.push({ type: "text", text: said.content });
  if (chunk.usage != null) {
    // No prompt is without tokens.
    news.push({ type: "usage", usage: chunk.usage.inputTokens === 0 ? null : chunk.usage });
  }
  if (choice?.finish_reason) news.push(endOf(choice.finish_reason, secrets));
  return news;
}

function endOf(said: string, secrets: SecretMask): StatusUpdate {
  if (BREAK_OFFS.has(said)) return { type: "broken_off", said };
  const reason = FINISH_REASONS.get(said);
  if (reason !== undefined) return { type: "finish", reason };
  return {
    type: "finish",
    reason: null,
    said: printable(secrets.hide(said.slice(0, SEARCHED_OF_BODY)), MAX_UNKNOWN_WORD),
  };
}

const isAnswer = ({ choices, usage }: Chunk): boolean =>
  choices !== undefined || usage !== undefined;

const shown = ({ data }: StreamEvent, secrets: SecretMask): string =>
  secrets.hide(data.slice(0, 2000));

function noAnswer(event: StreamEvent, secrets: SecretMask): FoundryError {
  const said = sanitizeMessage(
    secrets.hide(errorTextOf(event.data, "application/json", "nothing")),
  );
  return new FoundryError(
    "INVALID_RESPONSE",
    `The service answered with something else than a completion. It said: ${said}`,
    {
      action: "Change what it names, or check that FOUNDRY_ENDPOINT is the service itself.",
      detail: shown(event, secrets),
    },
  );
}

function parseChunk(event: StreamEvent, secrets: SecretMask): Chunk {
  const chunk = chunkSchema.safeParse(jsonFrom(event.data));
  if (chunk.success) return chunk.data;
  throw new FoundryError(
    "INVALID_RESPONSE",
    "The service sent something in its stream that is no answer.",
    {
      action: "Try again; if it happens again, restart or update the service.",
      retryable: true,
      detail: shown(event, secrets),
    },
  );
}
