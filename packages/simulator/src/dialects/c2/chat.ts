import { EngineFailure } from "../../engine/generation.js";
import { type Piece, Run, textOf } from "../../engine/output.js";
import type { RawAnswer, ToolCall } from "../../engine/script.js";
import { overflowText, promptTokens } from "../../engine/text.js";
import type { SimulatedModel } from "../../models/model.js";
import { callId, hexId, json, seconds } from "../answers.js";
import { type ChatBody, readChatBody } from "../bodies.js";
import type { DialectContext, DialectRequest } from "../dialect.js";
import { C2Error, envelope, LateError } from "./errors.js";
import { EventStream } from "./events.js";
import { type Handler, loadedModel } from "./model-routes.js";

/** Tokens of an answer for which neither the request nor the catalog names a number. */
const DEFAULT_MAX_TOKENS = 2048;
/** File, line and function as the newest build names them; each build has its own. */
const BUDGET = "search_options.cc:108 int fl::ValidateGeneratorRequestBudget(int64_t, int, int)";
const MINIMUM = "search_options.cc:55 int fl::ResolveMaxOutputTokens(const SearchOptions&, int)";
const GENERATION =
  "onnx_chat_generator.cc:144 virtual void fl::OnnxChatGenerator::GenerateNextToken() token generation failed:";

/** A completion of a model that is loaded. */
interface Asked {
  readonly chat: ChatBody;
  readonly model: SimulatedModel;
  readonly answer: RawAnswer;
}

/** `POST /v1/chat/completions`. */
export const chatCompletions: Handler = async (context, request, family) => {
  const chat = await readChatBody(request, refusal);
  if (chat.model === "") throw new C2Error(400, "Missing required field: model");
  if (chat.messages.length === 0) throw new C2Error(400, "Missing required field: messages");
  const model = await loadedModel(context, chat.model, family);
  const asked = { chat, model, answer: await context.engine.answerTo(model, chat) };
  if (chat.stream) await streamed(context, request, asked);
  else await whole(context, request, asked);
};

/** Of the parser's messages only the beginning is the service's. */
function refusal(problem: "empty" | "not JSON" | "wrong", message: string): C2Error {
  if (problem === "empty") return new C2Error(400, "Empty request body");
  const what =
    problem === "wrong" ? `request: ${message}` : "JSON: [json.exception.parse_error.101]";
  return new C2Error(400, `Invalid ${what}`);
}

/** @throws {LateError} for a mistake that is only found when the generation begins. */
function start(
  { engine }: DialectContext,
  { record }: DialectRequest,
  { chat, model, answer }: Asked,
  cancelled: () => boolean,
): Run {
  const inputTokens = promptTokens(model, chat.messages);
  const maxTokens = chat.maxTokens ?? model.maxOutputTokens ?? DEFAULT_MAX_TOKENS;
  if (maxTokens < 1) throw new LateError(`${MINIMUM} max_output_tokens must be >= 1`, true);
  if (inputTokens + maxTokens > model.contextLength) {
    throw new LateError(`${BUDGET} ${overflowText(inputTokens, maxTokens, model)}`, true);
  }
  const tokens = engine.run(model, answer, maxTokens, record, cancelled);
  return new Run(model, answer, inputTokens, maxTokens, tokens);
}

/** @returns the failure of the engine as the service words it; anything else is rethrown. */
function lateError(error: unknown): LateError {
  if (error instanceof LateError) return error;
  if (error instanceof EngineFailure) return new LateError(`${GENERATION} ${error.message}`, false);
  throw error;
}

async function whole(
  context: DialectContext,
  request: DialectRequest,
  asked: Asked,
): Promise<void> {
  const { version } = context;
  const { chat } = asked;
  try {
    const run = start(context, request, asked, () => false);
    const pieces = await run.all();
    const calls = pieces.flatMap((piece) => (piece.kind === "calls" ? piece.calls : []));
    const reasoning = textOf(pieces, "reasoning");
    const answer =
      version.toolCallText === "kept"
        ? textOf(pieces, "content", "calls")
        : textOf(pieces, "content");
    const dropped = version.reasoning === "dropped";
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
        usage: usageOf(run, context),
      }),
    );
  } catch (error) {
    throw lateError(error).toC2Error(version);
  }
}

/** The older versions cut a thought out; a thought that was never closed becomes the answer. */
function withoutThought(run: Run, reasoning: string, answer: string): string {
  if (run.unfinishedThought) return reasoning + answer;
  return reasoning === "" ? answer : answer.replace(/^\n+/, "");
}

async function streamed(
  context: DialectContext,
  request: DialectRequest,
  asked: Asked,
): Promise<void> {
  const { engine, version } = context;
  const { chat } = asked;
  const { record } = request;
  const events = new EventStream(request, engine, version);
  const common = head("chat.completion.chunk", chat.model);
  const chunk = (delta: object, finish: string | null = null) =>
    events.send({
      choices: [{ delta, finish_reason: finish, index: 0, logprobs: null }],
      ...common,
    });
  try {
    const run = start(context, request, asked, () => events.cancelled);
    let begun = false;
    for await (const pieces of run.pieces()) {
      if (!begun) chunk({ content: "", role: "assistant" });
      begun = true;
      for (const piece of pieces) {
        const delta = deltaOf(piece, version.reasoning === "dropped");
        if (delta !== null) chunk(delta);
      }
      if (!request.clientGone()) record.tokensSent = record.tokensGenerated;
    }
    if (!events.cancelled) {
      chunk({}, run.finish);
      if (chat.includeUsage) events.send({ choices: [], ...common, usage: usageOf(run, context) });
      events.done();
    }
  } catch (error) {
    const late = lateError(error);
    events.send(envelope(late.message, late.type(version)));
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

function usageOf(run: Run, { version }: DialectContext) {
  const reasoning_tokens = version.reasoning === "dropped" ? 0 : run.reasoningTokens;
  return {
    completion_tokens: run.outputTokens,
    completion_tokens_details: { reasoning_tokens },
    prompt_tokens: run.inputTokens,
    prompt_tokens_details: { cached_tokens: 0 },
    total_tokens: run.inputTokens + run.outputTokens,
  };
}
