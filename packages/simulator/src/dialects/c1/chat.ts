import { callsIn } from "../../engine/output.js";
import type { ToolCall } from "../../engine/script.js";
import { BETALGO, dotnetTime, json, seconds, shortId } from "../answers.js";
import { type ChatBody, readChatBody } from "../bodies.js";
import { type Call, Core1Error } from "./core1.js";
import { Turn } from "./turn.js";

/** `POST /v1/chat/completions`. A client that leaves ends its generation, streamed or not. */
export async function chatCompletions(call: Call): Promise<void> {
  const chat = await readChatBody(
    call.request,
    (_, message) => new Core1Error(500, `Invalid OpenAI JSON request: ${message}`),
  );
  if (chat.stream) await streamed(call, chat);
  else await whole(call, chat);
}

async function whole({ core, request }: Call, chat: ChatBody): Promise<void> {
  const turn = await Turn.begin(core, chat, request);
  let text = "";
  for await (const token of turn.tokens) text += token;
  if (turn.isLeft) {
    request.reply.abandon();
    return;
  }
  const calls = callsIn(text, turn.callMarkers);
  const finish_reason = calls.length > 0 ? "tool_calls" : isCut(chat, turn) ? "length" : "stop";
  const choice = { ...said(text, calls), index: 0, finish_reason };
  request.reply.whole(json(answer(chat, [choice], turn, "chat.completion")));
}

async function streamed({ core, request }: Call, chat: ChatBody): Promise<void> {
  const { reply, record } = request;
  let begun = false;
  // The head comes with the first token.
  const send = (data: string): void => {
    if (!begun) reply.start();
    begun = true;
    reply.event(`data: ${data}\n\n`);
  };
  try {
    const turn = await Turn.begin(core, chat, request);
    const chunk = (choices: readonly object[]): void =>
      send(JSON.stringify(answer(chat, choices, turn, "chat.completion.chunk")));
    const piece = (content: string, calls: readonly ToolCall[], finish: string | null): void =>
      chunk([{ ...said(content, calls), index: 0, ...(finish && { finish_reason: finish }) }]);
    let text = "";
    for await (const token of turn.tokens) {
      text += token;
      piece(token, [], isCut(chat, turn) ? "length" : null);
      if (!request.clientGone()) record.tokensSent = record.tokensGenerated;
    }
    if (turn.isLeft) {
      reply.abandon();
      return;
    }
    const calls = callsIn(text, turn.callMarkers);
    if (calls.length > 0) piece("", calls, "tool_calls");
    if (!isCut(chat, turn)) piece("", [], "stop");
    chunk([]);
    send("[DONE]");
    reply.end();
  } catch (error) {
    if (!(error instanceof Core1Error)) throw error;
    // A stream that cannot begin and a stream that fails end alike: without a word.
    if (!begun) reply.start();
    reply.cut();
  }
}

/** Only a limit that the request names counts as a cut. */
function isCut({ maxTokens }: ChatBody, turn: Turn): boolean {
  return maxTokens !== null && turn.outputTokens >= maxTokens;
}

/** The service sends every message twice. Its ids have no prefix. */
function said(content: string, calls: readonly ToolCall[]) {
  const tool_calls = calls.map((call, index) => ({
    index,
    id: shortId(),
    type: "function",
    function: { name: call.name, arguments: JSON.stringify(call.arguments, null, 2) },
  }));
  const id = calls.length === 0 ? {} : { tool_call_id: shortId() };
  const message = { role: "assistant", content, ...id, tool_calls };
  return { delta: message, message };
}

function answer(chat: ChatBody, choices: readonly object[], turn: Turn, object: string) {
  const created = seconds();
  return {
    model: chat.model,
    choices,
    usage: {
      prompt_tokens: turn.inputTokens,
      completion_tokens: turn.outputTokens,
      total_tokens: turn.inputTokens + turn.outputTokens,
    },
    created,
    CreatedAt: dotnetTime(created),
    // The number is that of the request's own client, which never makes a second one.
    id: "chat.id.1",
    ...BETALGO,
    object,
  };
}
