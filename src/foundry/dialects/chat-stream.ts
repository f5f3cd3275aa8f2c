import { z } from "zod";
import { FoundryError } from "../../errors.js";
import type { HttpTransport, StreamEvent } from "../../http/index.js";
import type { Call, ChatEvent, ChatRequest, ChatStream, FinishReason } from "./dialect.js";
import { about, errorOfFailure, errorOfStreamEvent, type Subject } from "./failures.js";

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
const chunkSchema = z.object({
  choices: z
    .array(z.object({ delta: deltaSchema, message: deltaSchema, finish_reason: textSchema }))
    .nullish(),
  usage: z
    .object({ prompt_tokens: z.number(), completion_tokens: z.number() })
    .nullish()
    .catch(null),
  error: z
    .union([z.string(), z.object({ message: textSchema, type: textSchema })])
    .nullish()
    .catch(null),
});

const FINISH_REASONS: Readonly<Record<string, FinishReason>> = {
  stop: "stop",
  length: "length",
  tool_calls: "tool_calls",
  function_call: "tool_calls",
  content_filter: "content_filter",
};

/** What differs between servers in how a chat is asked for. */
export interface ChatQuirks {
  readonly path: string;
  /** Up to so many `stop` strings are sent; 0 where the server ignores or misreads them. */
  readonly stopStrings: number;
  readonly headLimitBytes?: number;
}

/** Asks for a chat and resolves with its first token. */
export async function openChat(
  transport: HttpTransport,
  request: ChatRequest,
  quirks: ChatQuirks,
  call: Call,
): Promise<ChatStream> {
  const subject = about("chat", request.model);
  const stream = await transport.stream({
    method: "POST",
    path: quirks.path,
    body: bodyOf(request, quirks),
    ...call,
    ...(quirks.headLimitBytes === undefined ? {} : { headLimitBytes: quirks.headLimitBytes }),
    toError: (failure) => errorOfFailure(failure, subject),
    // An error event throws here, so that one before the first token can still be retried.
    isStart: (event) => eventsOf(event, subject).some((news) => news.type !== "usage"),
  });
  const events = read(stream, subject);
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
  const { stream: _, stream_options: __, ...body } = bodyOf(request, quirks);
  const answer = await transport.request({
    method: "POST",
    path: quirks.path,
    body,
    ...call,
    toError: (failure) => errorOfFailure(failure, subject),
  });
  const events = eventsOf({ data: answer.body, event: null }, subject);
  return {
    attempts: answer.attempts,
    async *[Symbol.asyncIterator]() {
      yield* events;
    },
  };
}

function bodyOf(request: ChatRequest, quirks: ChatQuirks) {
  const stop = request.stop?.slice(0, quirks.stopStrings) ?? [];
  return {
    model: request.model.id,
    messages: request.messages,
    // Always sent: the services' own default cuts answers off silently (#217).
    max_tokens: request.maxTokens,
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(request.topP === undefined ? {} : { top_p: request.topP }),
    ...(request.seed === undefined ? {} : { seed: request.seed }),
    ...(stop.length === 0 ? {} : { stop }),
    stream: true,
    stream_options: { include_usage: true },
  };
}

async function* read(
  stream: AsyncIterable<StreamEvent>,
  subject: Subject,
): AsyncGenerator<ChatEvent> {
  let finished = false;
  for await (const event of stream) {
    if (event.data.trim() === "[DONE]") {
      // Services of 2025 never send a finish_reason (#299, #399): a proper end is a stop.
      if (!finished) yield { type: "finish", reason: "stop" };
      return;
    }
    for (const news of eventsOf(event, subject)) {
      // C1 sends "stop" after "tool_calls": the first word counts.
      if (news.type === "finish" && finished) continue;
      finished ||= news.type === "finish";
      yield news;
    }
  }
  if (!finished) {
    throw new FoundryError("STREAM_INTERRUPTED", "The stream ended before the answer did.", {
      action: "The text so far is kept. Try again; if it happens again, restart the service.",
      retryable: true,
    });
  }
}

/** What one event of the stream says. Throws for an error inside a 200. */
function eventsOf(event: StreamEvent, subject: Subject): ChatEvent[] {
  if (event.data.trim() === "[DONE]") return [];
  const chunk = parseChunk(event);
  if (chunk.error != null) {
    const { message, type } =
      typeof chunk.error === "string" ? { message: chunk.error, type: null } : chunk.error;
    throw errorOfStreamEvent(message ?? "", type ?? null, subject);
  }
  const news: ChatEvent[] = [];
  const choice = chunk.choices?.[0];
  // S and C1 send both with the same text; a plain answer to a streamed request has only `message`.
  const said = choice?.delta ?? choice?.message;
  const reasoning = said?.reasoning_content ?? said?.reasoning;
  if (reasoning) news.push({ type: "reasoning", text: reasoning });
  if (said?.content) news.push({ type: "text", text: said.content });
  if (chunk.usage != null) {
    const { prompt_tokens: inputTokens, completion_tokens: outputTokens } = chunk.usage;
    news.push({ type: "usage", usage: { inputTokens, outputTokens } });
  }
  if (choice?.finish_reason) {
    news.push({ type: "finish", reason: FINISH_REASONS[choice.finish_reason] ?? "stop" });
  }
  return news;
}

function parseChunk(event: StreamEvent): z.output<typeof chunkSchema> {
  let raw: unknown;
  try {
    raw = JSON.parse(event.data);
  } catch {
    raw = undefined;
  }
  const chunk = chunkSchema.safeParse(raw);
  if (chunk.success) return chunk.data;
  throw new FoundryError(
    "INVALID_RESPONSE",
    "The service sent something in its stream that is no answer.",
    {
      action: "Try again; if it happens again, restart or update the service.",
      detail: event.data.slice(0, 2000),
    },
  );
}
