import type { Piece } from "../../engine/output.js";
import type { ToolCall } from "../../engine/script.js";
import type { Family } from "../../models/store.js";
import type { DialectContext, DialectRequest } from "../dialect.js";
import { callId, hexId, seconds } from "../ids.js";
import { type ChatRequest, readChatRequest } from "./chat-request.js";
import { envelope, json, LateError } from "./errors.js";
import { EventStream } from "./events.js";
import { jsonBody, loadedModel } from "./lookup.js";
import { type Run, startTurn, type Turn } from "./turn.js";

/** `POST /v1/chat/completions`. */
export async function chatCompletions(
  context: DialectContext,
  request: DialectRequest,
  family: Family,
): Promise<void> {
  const { switches } = context;
  const chat = readChatRequest(await jsonBody(request), switches);
  const model = await loadedModel(context, chat.model, family);
  const turn = chat.turn(model);
  if (chat.stream) await streamed(context, request, chat, turn);
  else await whole(context, request, chat, turn);
}

async function whole(
  { engine, switches }: DialectContext,
  request: DialectRequest,
  chat: ChatRequest,
  turn: Turn,
): Promise<void> {
  try {
    const run = startTurn(turn, engine, switches, request.record, () => false);
    const pieces = (await collect(run)).flat();
    const calls = pieces.flatMap((piece) => (piece.kind === "calls" ? piece.calls : []));
    const reasoning = textOf(pieces, "reasoning");
    const keepsCalls = switches.toolCallText === "kept";
    const answer = pieces
      .map((piece) => (piece.kind === "calls" && keepsCalls ? piece.raw : contentOf(piece)))
      .join("");
    const dropped = switches.reasoning === "dropped";
    const message = {
      content: dropped ? withoutThought(run, reasoning, answer) : answer,
      reasoning_content: dropped || reasoning === "" ? undefined : reasoning,
      refusal: null,
      role: "assistant",
      tool_calls: calls.length === 0 ? undefined : calls.map((call) => toolCall(call)),
    };
    request.reply.whole(
      json({
        choices: [{ finish_reason: run.finish, index: 0, logprobs: null, message }],
        ...head("chat.completion", chat.model),
        usage: usageOf(run),
      }),
    );
  } catch (error) {
    if (error instanceof LateError) throw error.toC2Error(switches);
    throw error;
  }
}

/** The older versions cut a thought out; one that was never closed becomes the answer. */
function withoutThought(run: Run, reasoning: string, answer: string): string {
  if (run.unfinishedThought) return reasoning + answer;
  return reasoning === "" ? answer : answer.replace(/^\n+/, "");
}

async function streamed(
  { engine, switches }: DialectContext,
  request: DialectRequest,
  chat: ChatRequest,
  turn: Turn,
): Promise<void> {
  const events = new EventStream(request, engine, switches);
  const common = head("chat.completion.chunk", chat.model);
  const chunk = (delta: object, finish: string | null = null) =>
    events.send({
      choices: [{ delta, finish_reason: finish, index: 0, logprobs: null }],
      ...common,
    });
  try {
    const run = startTurn(turn, engine, switches, request.record, () => events.cancelled);
    let begun = false;
    for await (const pieces of run.pieces) {
      if (!begun) chunk({ content: "", role: "assistant" });
      begun = true;
      for (const piece of pieces) {
        const delta = deltaOf(piece, switches.reasoning === "dropped");
        if (delta !== null) chunk(delta);
      }
      request.record.tokensSent = request.clientGone()
        ? request.record.tokensSent
        : request.record.tokensGenerated;
    }
    if (!events.cancelled) {
      chunk({}, run.finish);
      if (chat.includeUsage) events.send({ choices: [], ...common, usage: usageOf(run) });
      events.done();
    }
  } catch (error) {
    if (!(error instanceof LateError)) throw error;
    events.send(envelope(error.message, error.type(switches)));
  } finally {
    events.end();
  }
}

function deltaOf(piece: Piece, dropsThought: boolean): object | null {
  switch (piece.kind) {
    case "content":
      return { content: piece.text };
    case "reasoning":
      return dropsThought ? null : { reasoning_content: piece.text };
    case "calls":
      return { tool_calls: piece.calls.map((call, index) => ({ ...toolCall(call), index })) };
  }
}

function toolCall(call: ToolCall) {
  return {
    function: { arguments: JSON.stringify(call.arguments), name: call.name },
    id: callId(),
    type: "function",
  };
}

function head(object: string, model: string) {
  return {
    created: seconds(),
    id: hexId("chatcmpl-", 8),
    model,
    object,
    system_fingerprint: null,
  };
}

function usageOf(run: Run) {
  return {
    completion_tokens: run.outputTokens,
    completion_tokens_details: { reasoning_tokens: run.reasoningTokens },
    prompt_tokens: run.inputTokens,
    prompt_tokens_details: { cached_tokens: 0 },
    total_tokens: run.inputTokens + run.outputTokens,
  };
}

async function collect(run: Run): Promise<(readonly Piece[])[]> {
  const all: (readonly Piece[])[] = [];
  for await (const pieces of run.pieces) all.push(pieces);
  return all;
}

function contentOf(piece: Piece): string {
  return piece.kind === "content" ? piece.text : "";
}

function textOf(pieces: readonly Piece[], kind: "content" | "reasoning"): string {
  return pieces.map((piece) => (piece.kind === kind ? piece.text : "")).join("");
}
