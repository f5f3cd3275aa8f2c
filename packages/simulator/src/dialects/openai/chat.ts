import { EngineFailure } from "../../engine/generation.js";
import { type Piece, Run, textOf } from "../../engine/output.js";
import { promptTokens } from "../../engine/text.js";
import type { SimulatedModel } from "../../models/model.js";
import { callId, hexId, json, seconds } from "../answers.js";
import { type ChatBody, readChatBody } from "../bodies.js";
import type { DialectContext, DialectRequest } from "../dialect.js";
import { OpenAIError } from "./errors.js";

/** `POST /v1/chat/completions`. A client that leaves ends its generation. */
export async function chatCompletions(
  context: DialectContext,
  request: DialectRequest,
): Promise<void> {
  const chat = await readChatBody(request, (_, message) => new OpenAIError(400, message));
  const model = context.engine.store.all.find(({ id }) => id === chat.model);
  if (model === undefined) throw OpenAIError.modelNotFound(chat.model);
  const run = await start(context, request, chat, model);
  if (chat.stream) await streamed(request, chat, run);
  else await whole(request, chat, run);
}

async function start(
  { engine }: DialectContext,
  request: DialectRequest,
  chat: ChatBody,
  model: SimulatedModel,
): Promise<Run> {
  const inputTokens = promptTokens(model, chat.messages);
  const maxTokens = chat.maxTokens ?? model.contextLength - inputTokens;
  if (maxTokens < 1 || inputTokens + maxTokens > model.contextLength) {
    throw new OpenAIError(
      400,
      `This model's maximum context length is ${model.contextLength} tokens. However, you requested ${inputTokens + maxTokens} tokens (${inputTokens} in the messages, ${maxTokens} in the completion).`,
      "context_length_exceeded",
    );
  }
  const answer = await engine.answerTo(model, chat);
  const tokens = engine.run(model, answer, maxTokens, request.record, request.clientClosed);
  return new Run(model, answer, inputTokens, maxTokens, tokens);
}

async function whole(request: DialectRequest, chat: ChatBody, run: Run): Promise<void> {
  const pieces = await run.all().catch((error: unknown) => {
    throw error instanceof EngineFailure ? new OpenAIError(500, error.message) : error;
  });
  const content = textOf(pieces, "content");
  const reasoning = textOf(pieces, "reasoning");
  const calls = pieces.flatMap((piece) => (piece.kind === "calls" ? callsOf(piece) : []));
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
  request.reply.whole(json(answer));
}

async function streamed(request: DialectRequest, chat: ChatBody, run: Run): Promise<void> {
  const { reply, record } = request;
  const common = head("chat.completion.chunk", chat);
  const send = (value: object) => reply.event(`data: ${JSON.stringify(value)}\n\n`);
  const chunk = (delta: object, finish_reason: string | null = null) =>
    send({ ...common, choices: [{ index: 0, delta, finish_reason }] });
  reply.start();
  try {
    chunk({ role: "assistant", content: "" });
    let calls = 0;
    for await (const pieces of run.pieces()) {
      for (const piece of pieces) {
        chunk(deltaOf(piece, calls));
        if (piece.kind === "calls") calls += piece.calls.length;
      }
      if (!request.clientGone()) record.tokensSent = record.tokensGenerated;
    }
    chunk({}, run.finish);
    if (chat.includeUsage) send({ ...common, choices: [], usage: usageOf(run) });
    reply.event("data: [DONE]\n\n");
  } catch (error) {
    if (!(error instanceof EngineFailure)) throw error;
    reply.event(`data: ${new OpenAIError(500, error.message).answer().body}\n\n`);
  } finally {
    reply.end();
  }
}

/** @param calls The number of calls before this piece: clients join the pieces of a call by its index. */
function deltaOf(piece: Piece, calls: number): object {
  if (piece.kind === "content") return { content: piece.text };
  if (piece.kind === "reasoning") return { reasoning_content: piece.text };
  return { tool_calls: callsOf(piece).map((call, at) => ({ index: calls + at, ...call })) };
}

function callsOf(piece: Extract<Piece, { kind: "calls" }>) {
  return piece.calls.map((call) => ({
    id: callId(),
    type: "function",
    function: { name: call.name, arguments: JSON.stringify(call.arguments) },
  }));
}

function head(object: string, chat: ChatBody) {
  return { id: hexId("chatcmpl-", 12), object, created: seconds(), model: chat.model };
}

function usageOf(run: Run) {
  return {
    prompt_tokens: run.inputTokens,
    completion_tokens: run.outputTokens,
    total_tokens: run.inputTokens + run.outputTokens,
  };
}
