import type { ToolCall } from "../../engine/script.js";
import { seconds } from "../ids.js";
import { type ChatRequest, readChatRequest } from "./chat-request.js";
import type { Call, Core1 } from "./core1.js";
import { Core1Error, json } from "./errors.js";
import { loadedModel } from "./lookup.js";
import { BETALGO, dateText } from "./model-routes.js";
import { toJson } from "./system-text-json.js";
import { argumentsText, callsIn, shortId } from "./tools.js";
import { type Run, startTurn, type Turn } from "./turn.js";

/** `POST /v1/chat/completions`. A client that leaves ends its generation, streamed or not. */
export async function chatCompletions(call: Call): Promise<void> {
  const chat = readChatRequest(call);
  if (chat.stream) await streamed(call, chat);
  else await whole(call, chat);
}

function begin({ core, request }: Call, chat: ChatRequest): { turn: Turn; run: Run } {
  const model = loadedModel(core, chat.model, "completion");
  const turn = { ...chat, model, maxTokens: chat.maxCompletionTokens ?? chat.maxTokens };
  return { turn, run: startTurn(core, turn, request) };
}

async function whole(call: Call, chat: ChatRequest): Promise<void> {
  const { core, request } = call;
  const { turn, run } = begin(call, chat);
  let text = "";
  for await (const token of run.tokens) text += token;
  if (run.left) {
    request.reply.abandon();
    return;
  }
  const calls = structuredCalls(core, chat, turn, text);
  const finish_reason = calls.length > 0 ? "tool_calls" : isCut(chat, run) ? "length" : "stop";
  const choice = { ...said(core, text, calls), index: 0, finish_reason };
  request.reply.whole(json(answer(chat, [choice], run, "chat.completion")));
}

async function streamed(call: Call, chat: ChatRequest): Promise<void> {
  const { core, request } = call;
  const { reply, record } = request;
  let begun = false;
  // The head comes with the first token.
  const send = (data: unknown): void => {
    if (!begun) reply.start();
    begun = true;
    reply.event(`data: ${data === "[DONE]" ? data : toJson(data)}\n\n`);
  };
  try {
    const { turn, run } = begin(call, muted(core, chat));
    const chunk = (content: string, calls: readonly ToolCall[], finish: string | null): void => {
      const hasReason = finish !== null && core.switches.finishReason === "sent";
      const reason = hasReason ? { finish_reason: finish } : {};
      const choice = { ...said(core, content, calls), index: 0, ...reason };
      send(answer(chat, [choice], run, "chat.completion.chunk"));
    };
    let text = "";
    for await (const token of run.tokens) {
      text += token;
      chunk(token, [], isCut(chat, run) ? "length" : null);
      if (!request.clientGone()) record.tokensSent = record.tokensGenerated;
    }
    if (run.left) {
      reply.abandon();
      return;
    }
    const calls = structuredCalls(core, chat, turn, text);
    if (calls.length > 0) chunk("", calls, "tool_calls");
    if (!isCut(chat, run)) chunk("", [], "stop");
    send(answer(chat, [], run, "chat.completion.chunk"));
    send("[DONE]");
    reply.end();
  } catch (error) {
    if (!(error instanceof Core1Error)) throw error;
    if (begun && core.switches.midStreamFailure === "error_event") {
      send({ error: { message: error.message, type: error.type } });
      reply.end();
      return;
    }
    if (!begun) reply.start();
    if (!begun && core.switches.muteStream === "empty") reply.end();
    else reply.cut();
  }
}

/** Some revisions know no short names in streams. */
function muted(core: Core1, chat: ChatRequest): ChatRequest {
  const known = core.context.engine.store.all.some(({ id }) => id === chat.model);
  if (known || core.switches.shortNamesInStreams === "answered") return chat;
  throw new Core1Error(400, "not said");
}

/** Only `max_tokens` counts as a cut, and only where the request names it. */
function isCut(chat: ChatRequest, run: Run): boolean {
  return chat.maxTokens !== null && run.outputTokens >= chat.maxTokens;
}

function structuredCalls(
  { switches }: Core1,
  chat: ChatRequest,
  { model }: Turn,
  text: string,
): ToolCall[] {
  const forced = chat.choice === "required" || typeof chat.choice === "object";
  if (switches.toolCalls === "required_only" && (chat.stream || !forced)) return [];
  return callsIn(model, text);
}

/** Everything is said twice. */
function said({ switches }: Core1, content: string, calls: readonly ToolCall[]) {
  const tool_calls = calls.map((call, index) => ({
    index,
    id: shortId(),
    type: "function",
    function: {
      name: call.name,
      arguments: switches.toolArguments === "text" ? argumentsText(call) : call.arguments,
    },
  }));
  const id = calls.length === 0 ? {} : { tool_call_id: shortId() };
  const message = { role: "assistant", content, ...id, tool_calls };
  return { delta: message, message };
}

function answer(chat: ChatRequest, choices: readonly object[], run: Run, object: string) {
  const created = seconds();
  return {
    model: chat.model,
    choices,
    usage: {
      prompt_tokens: run.inputTokens,
      completion_tokens: run.outputTokens,
      total_tokens: run.inputTokens + run.outputTokens,
    },
    created,
    CreatedAt: dateText(created),
    // The number is that of the request's own client, which never makes a second one.
    id: "chat.id.1",
    ...BETALGO,
    object,
  };
}
