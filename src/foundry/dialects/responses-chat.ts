import * as z from "zod";
import { type HttpTransport, jsonOf, type StreamEvent } from "../../http/index.js";
import { contentOf, dataUrl, messagesFor, toolNotes } from "./chat-messages.js";
import { openStream } from "./chat-stream.js";
import type { Call, ChatMessage, ChatRequest, ChatStream, RequestPath } from "./dialect.js";

/**
 * A chat over `/v1/responses`, the only route on which Foundry Local gives images to a model: its chat
 * completions drop them without a word (docs/foundry-local.md, section 4). Its events become chunks of a chat.
 */

/** On this route core 2 mistakes calls for text, and does not take the calls of a conversation. */
const AS_TEXT = { tools: true, results: true };

export async function responsesChat(
  transport: HttpTransport,
  request: ChatRequest,
  requestPath: RequestPath,
  call: Call,
): Promise<ChatStream> {
  const chat = {
    ...requestPath,
    request,
    body: bodyOf(request),
    // Core 2.0 says `completed` also where the limit cut the answer off.
    mistakesLimitForStop: true,
    chunkOf,
  };
  const stream = await openStream(transport, chat, call);
  return { ...stream, warnings: toolNotes(request, AS_TEXT) };
}

function bodyOf(request: ChatRequest): Readonly<Record<string, unknown>> {
  return {
    model: request.model.id,
    input: messagesFor(request, AS_TEXT).map(itemOf),
    max_output_tokens: request.maxTokens,
    temperature: request.temperature,
    top_p: request.topP,
    seed: request.seed,
    stream: true,
    // A stored response would hold the model in memory.
    store: false,
  };
}

const itemOf = (message: ChatMessage): object => ({
  type: "message",
  role: message.role,
  content: contentOf(message, (part) =>
    typeof part === "string"
      ? { type: "input_text", text: part }
      : // Core 1.x wants the type beside the URL.
        { type: "input_image", image_url: dataUrl(part), media_type: part.mimeType },
  ),
});

const countSchema = z.number().catch(0);
const partsSchema = z.array(z.unknown()).catch([]);
const responseSchema = z.looseObject({
  status: z.string().nullish().catch(null),
  error: z.unknown().optional(),
  incomplete_details: z.object({ reason: z.string() }).nullish().catch(null),
  output: z
    .array(
      z.looseObject({
        type: z.unknown().optional(),
        content: partsSchema,
        summary: partsSchema,
      }),
    )
    .catch([]),
  usage: z.object({ input_tokens: countSchema, output_tokens: countSchema }).nullish().catch(null),
});
type Response = z.output<typeof responseSchema>;

const eventSchema = z.looseObject({
  type: z.string().nullish().catch(null),
  object: z.string().nullish().catch(null),
  delta: z.string().nullish().catch(null),
  response: responseSchema.nullish().catch(null),
});

/** The chunk of a chat in an event of a response; `null`: it brings nothing of the answer. */
function chunkOf(event: StreamEvent): StreamEvent | null {
  const value = jsonOf(event);
  const parsed = eventSchema.safeParse(value);
  if (!parsed.success) return event;
  const { type, object, delta, response } = parsed.data;
  if (object === "response") return asChunk(wholeOf(responseSchema.parse(value)));
  // An error, or something that is no event of a response.
  if (typeof type !== "string" || !type.startsWith("response.")) return { ...event, event: null };
  if (type === "response.output_text.delta") return asChunk(pieceOf({ content: delta }));
  if (type === "response.refusal.delta") return asChunk(pieceOf({ refusal: delta }));
  if (/^response\.reasoning\w*\.delta$/.test(type)) {
    return asChunk(pieceOf({ reasoning_content: delta }));
  }
  if (response == null || !/^response\.(?:completed|incomplete|failed)$/.test(type)) return null;
  return asChunk(endOf(response));
}

const asChunk = (value: object): StreamEvent => ({
  data: JSON.stringify(value),
  event: null,
  value,
});

const pieceOf = (delta: object): object => ({
  object: "chat.completion.chunk",
  choices: [{ index: 0, delta, finish_reason: null }],
});

function endOf(response: Response): object {
  const { status, error, usage } = response;
  if (status === "failed") return { error: error ?? { message: "The model failed." } };
  return {
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta: {}, finish_reason: finishReasonOf(response) }],
    ...(usage == null
      ? {}
      : { usage: { prompt_tokens: usage.input_tokens, completion_tokens: usage.output_tokens } }),
  };
}

/** A response in one piece, which core 1.x also answers a stream with where the model fails. */
function wholeOf(response: Response): object {
  const end = endOf(response);
  if ("error" in end) return end;
  const thoughts = response.output.filter(({ type }) => type === "reasoning");
  const message = {
    content: response.output.flatMap(({ type, content }) => (type === "reasoning" ? [] : content)),
    reasoning_content: thoughts.flatMap(({ content }) => content),
    // Read where the one before it has no words.
    reasoning: thoughts.flatMap(({ summary }) => summary),
  };
  return {
    ...end,
    object: "chat.completion",
    choices: [{ index: 0, message, finish_reason: finishReasonOf(response) }],
  };
}

const finishReasonOf = ({ incomplete_details: cut }: Response): string =>
  cut?.reason === "max_output_tokens" ? "length" : (cut?.reason ?? "stop");
