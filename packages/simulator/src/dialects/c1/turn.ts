import { EngineFailure } from "../../engine/generation.js";
import { type RawAnswer, rawAnswer } from "../../engine/script.js";
import { type PromptMessage, promptTokens } from "../../engine/tokens.js";
import { type DeclaredTool, simulatedCall, type ToolChoice } from "../../engine/tool-calls.js";
import type { SimulatedModel } from "../../models/model.js";
import type { DialectRequest } from "../dialect.js";
import type { Core1 } from "./core1.js";
import { refusal } from "./lookup.js";

/** Tokens of an answer for which the request names no number. */
const DEFAULT_MAX_TOKENS = 2048;
/** What a negative temperature draws: bytes that are no text. */
const NOISE = ["\u0018", "\u0005", "\r", "\u001f", "\u0002", "\u000b"];

/** One answer that is asked for, of a chat completion or of a response. */
export interface Turn {
  readonly model: SimulatedModel;
  readonly messages: readonly PromptMessage[];
  readonly tools: readonly DeclaredTool[];
  readonly choice: ToolChoice;
  readonly maxTokens: number | null;
  readonly temperature: number | null;
  readonly topP: number | null;
}

/** A turn that passed its checks. Grows while {@link Run.tokens} is read. */
export interface Run {
  readonly inputTokens: number;
  outputTokens: number;
  /** Whether it was left before its end. */
  left: boolean;
  readonly maxTokens: number;
  readonly tokens: AsyncGenerator<string>;
}

/** @throws {Core1Error} 400 for what the caller did, 500 for what the engine says. */
export function startTurn(core: Core1, turn: Turn, request: DialectRequest): Run {
  const { switches, memory } = core;
  const { model, messages } = turn;
  const bytes = messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
  if (switches.deadlyPromptBytes !== null && bytes > switches.deadlyPromptBytes) memory.die();
  if (messages.length === 0) {
    throw refused("Request must contain at least one Chat request message");
  }
  if (turn.maxTokens !== null && turn.maxTokens < 1) {
    throw refused(
      "Invalid 'max_completion_tokens': integer below minimum value. Expected a value >= 1",
    );
  }
  const inputTokens = promptTokens(model, messages, turn.tools);
  const maxTokens = budgetOf(core, turn, inputTokens);
  if (turn.topP !== null && (turn.topP < 0 || turn.topP > 1)) {
    throw refusal("completion", "top_p must be between 0.0 and 1.0", 500);
  }
  const run: Omit<Run, "tokens"> = { inputTokens, outputTokens: 0, left: false, maxTokens };
  return Object.assign(run, { tokens: tokensOf(core, turn, run, request) });
}

function budgetOf({ switches }: Core1, turn: Turn, inputTokens: number): number {
  const limit = turn.model.contextLength;
  const reserved = switches.defaultBudget === "reserved" ? DEFAULT_MAX_TOKENS : null;
  const asked = turn.maxTokens ?? reserved;
  if (asked !== null && inputTokens + asked > limit) {
    // The missing blank is the service's.
    throw refused(
      `This request requires ${inputTokens + asked} total tokens (${inputTokens} input + ${asked} output), which exceeds the model's maximum context length of ${limit} tokens. Please reduce 'max_tokens'or shorten your input.`,
    );
  }
  if (inputTokens > limit) {
    throw refusal(
      "completion",
      `input_ids size (${inputTokens}) + current sequence length (0) exceeds max length (${limit})`,
      500,
    );
  }
  return asked ?? Math.min(DEFAULT_MAX_TOKENS, limit - inputTokens);
}

const refused = (reason: string) => refusal("completion", `${reason} (Parameter 'chatRequest')`);

async function* tokensOf(
  { context, switches, memory }: Core1,
  turn: Turn,
  run: Omit<Run, "tokens">,
  request: DialectRequest,
): AsyncGenerator<string> {
  const { model } = turn;
  const isLeft = () => {
    run.left ||= switches.stopsWhenLeft && request.clientClosed();
    return run.left;
  };
  const { record } = request;
  const made = context.engine.run(model, answerTo(turn), run.maxTokens, record, isLeft);
  try {
    for await (const token of made) {
      memory.touch(model);
      run.outputTokens += 1;
      yield token;
    }
  } catch (error) {
    if (error instanceof EngineFailure) throw refusal("completion", error.message, 500);
    throw error;
  }
  memory.touch(model);
}

function answerTo(turn: Turn): RawAnswer {
  const { model, messages, tools } = turn;
  const text = messages.findLast(({ role }) => role === "user")?.content ?? "";
  const afterResult = messages.at(-1)?.role === "tool";
  // "none" does nothing here; a call can be forced without any tool to call.
  const choice = turn.choice === "none" ? "auto" : turn.choice;
  const forced = choice === "required" && tools.length === 0 && model.toolMarkers !== null;
  const call = forced
    ? { name: "simulated", arguments: {} }
    : simulatedCall(tools, choice, text, afterResult);
  const seen = { text, messages, tools: tools.map(({ name }) => name) };
  const answer = rawAnswer(model, seen, call);
  return turn.temperature !== null && turn.temperature < 0
    ? { ...answer, tokens: NOISE, forever: true }
    : answer;
}
