import { EngineFailure } from "../../engine/generation.js";
import { Output, type Piece } from "../../engine/output.js";
import { rawAnswer } from "../../engine/script.js";
import { simulatedJson } from "../../engine/text.js";
import { type PromptMessage, promptTokens } from "../../engine/tokens.js";
import { type DeclaredTool, simulatedCall } from "../../engine/tool-calls.js";
import type { DialectContext, DialectRequest } from "../dialect.js";
import { callId, hexId, seconds } from "../ids.js";
import { type ChatRequest, readChatRequest } from "./chat-request.js";
import { OpenAIError } from "./request.js";

interface Run {
  readonly inputTokens: number;
  outputTokens: number;
  finish: "stop" | "length" | "tool_calls";
  readonly pieces: AsyncGenerator<readonly Piece[]>;
}

/** `POST /v1/chat/completions`. A client that goes away ends its generation. */
export async function chatCompletions(
  context: DialectContext,
  request: DialectRequest,
): Promise<void> {
  const chat = await readChatRequest(request, context.engine.store.all);
  const run = start(context, request, chat);
  if (chat.stream) await streamed(request, chat, run);
  else await whole(request, chat, run);
}

function start({ engine }: DialectContext, request: DialectRequest, chat: ChatRequest): Run {
  const { model, messages, tools } = chat;
  const inputTokens = promptTokens(model, messages, tools);
  const maxTokens = chat.maxTokens ?? model.contextLength - inputTokens;
  if (maxTokens < 1 || inputTokens + maxTokens > model.contextLength) {
    throw new OpenAIError(
      400,
      `This model's maximum context length is ${model.contextLength} tokens. However, you requested ${inputTokens + maxTokens} tokens (${inputTokens} in the messages, ${maxTokens} in the completion).`,
      "invalid_request_error",
      "context_length_exceeded",
    );
  }
  const answer = answerOf(chat, messages, tools);
  const tokens = engine.run(model, answer, maxTokens, request.record, request.clientClosed);
  const markers = tools.length > 0 ? model.toolMarkers : null;
  const output = new Output({ reasoning: model.reasoningMarkers, tools: markers, stop: chat.stop });
  const run: Omit<Run, "pieces"> = { inputTokens, outputTokens: 0, finish: "stop" };
  return Object.assign(run, { pieces: piecesOf(run, tokens, output, maxTokens) });
}

function answerOf(
  chat: ChatRequest,
  messages: readonly PromptMessage[],
  tools: readonly DeclaredTool[],
) {
  const text = messages.findLast(({ role }) => role === "user")?.content ?? "";
  const call = simulatedCall(tools, chat.choice, text, messages.at(-1)?.role === "tool");
  const seen = { text, messages, tools: tools.map(({ name }) => name) };
  const free = chat.model.script === undefined && call === null && chat.schema !== undefined;
  const model = free ? { ...chat.model, script: { text: simulatedJson(chat.schema) } } : chat.model;
  return rawAnswer(model, seen, call);
}

async function* piecesOf(
  run: Omit<Run, "pieces">,
  tokens: AsyncGenerator<string>,
  output: Output,
  maxTokens: number,
): AsyncGenerator<readonly Piece[]> {
  let called = false;
  for await (const token of tokens) {
    run.outputTokens += 1;
    const pieces = output.push(token);
    called ||= pieces.some(({ kind }) => kind === "calls");
    yield pieces;
    if (output.stopped) break;
  }
  if (called) run.finish = "tool_calls";
  else if (!output.stopped && run.outputTokens === maxTokens) run.finish = "length";
  const cut = output.unfinishedCall;
  yield [...output.finish(), ...(cut === null ? [] : [{ kind: "content", text: cut } as const])];
}

async function whole(request: DialectRequest, chat: ChatRequest, run: Run): Promise<void> {
  const message: { content: string; reasoning: string; calls: object[] } = {
    content: "",
    reasoning: "",
    calls: [],
  };
  try {
    for await (const pieces of run.pieces) {
      for (const piece of pieces) {
        if (piece.kind === "content") message.content += piece.text;
        else if (piece.kind === "reasoning") message.reasoning += piece.text;
        else message.calls.push(...callsOf(piece));
      }
    }
  } catch (error) {
    if (error instanceof EngineFailure) throw failure(error);
    throw error;
  }
  const { content, reasoning, calls } = message;
  const answer = {
    ...head("chat.completion", chat),
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: content === "" && calls.length > 0 ? null : content,
          ...(reasoning !== "" && { reasoning_content: reasoning }),
          ...(calls.length > 0 && { tool_calls: calls }),
        },
        finish_reason: run.finish,
      },
    ],
    usage: usageOf(run),
  };
  const body = JSON.stringify(answer);
  request.reply.whole({ status: 200, body, contentType: "application/json" });
}

async function streamed(request: DialectRequest, chat: ChatRequest, run: Run): Promise<void> {
  const { reply, record } = request;
  const common = head("chat.completion.chunk", chat);
  const send = (value: object) => reply.event(`data: ${JSON.stringify(value)}\n\n`);
  const chunk = (delta: object, finish_reason: string | null = null) =>
    send({ ...common, choices: [{ index: 0, delta, finish_reason }] });
  reply.start();
  try {
    chunk({ role: "assistant", content: "" });
    for await (const pieces of run.pieces) {
      for (const piece of pieces) chunk(deltaOf(piece));
      if (!request.clientGone()) record.tokensSent = record.tokensGenerated;
    }
    chunk({}, run.finish);
    if (chat.includeUsage) send({ ...common, choices: [], usage: usageOf(run) });
    reply.event("data: [DONE]\n\n");
  } catch (error) {
    if (!(error instanceof EngineFailure)) throw error;
    reply.event(`data: ${failure(error).answer().body}\n\n`);
  } finally {
    reply.end();
  }
}

function deltaOf(piece: Piece): object {
  if (piece.kind === "content") return { content: piece.text };
  if (piece.kind === "reasoning") return { reasoning_content: piece.text };
  return { tool_calls: callsOf(piece).map((call, index) => ({ index, ...call })) };
}

function callsOf(piece: Extract<Piece, { kind: "calls" }>) {
  return piece.calls.map((call) => ({
    id: callId(),
    type: "function",
    function: { name: call.name, arguments: JSON.stringify(call.arguments) },
  }));
}

function failure(error: EngineFailure): OpenAIError {
  return new OpenAIError(500, error.message, "server_error", null);
}

function head(object: string, chat: ChatRequest) {
  return { id: hexId("chatcmpl-", 12), object, created: seconds(), model: chat.model.id };
}

function usageOf(run: Run) {
  return {
    prompt_tokens: run.inputTokens,
    completion_tokens: run.outputTokens,
    total_tokens: run.inputTokens + run.outputTokens,
  };
}
