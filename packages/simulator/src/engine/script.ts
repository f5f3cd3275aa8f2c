import type { ScriptedAnswer } from "../answers.js";
import {
  type Markers,
  type PromptSeen,
  QWEN_MARKERS,
  type Script,
  type SimulatedModel,
} from "../models/model.js";
import { piecesOf, simulatedText } from "./text.js";

/** A call of a tool. */
export interface ToolCall {
  readonly name: string;
  readonly arguments: object;
}

/** A scripted answer is an error. */
export class ScriptedError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** What the model will write, before any limit cuts it. */
export interface RawAnswer {
  readonly tokens: readonly string[];
  readonly forever: boolean;
  /** `null`: it does not fail. */
  readonly failAfterTokens: number | null;
  readonly failure: string;
  /** Around the tool calls among the tokens; `null`: whatever looks like a call is text. */
  readonly callMarkers: Markers | null;
  /** The tool calls that a script asks for. */
  readonly calls: readonly ToolCall[];
  /** Before the first token; `null`: as long as the model takes. */
  readonly delayMs: number | null;
}

/** The engine's message when a model fails while generating, unless a script has another. */
const FAILURE =
  "Non-zero status code returned while running Gather node. Name:'' Status Message: " +
  "indices element out of data bounds, idx=278 must be within the inclusive range [-278,277]";

/**
 * The tokens of an answer to this prompt, with the model's own markers: of the scripted answer, or
 * else of the model's script.
 */
export function rawAnswer(
  model: SimulatedModel,
  prompt: PromptSeen,
  scripted: ScriptedAnswer | null,
): RawAnswer {
  const script = scriptOf(scripted) ?? scriptFor(model, prompt);
  const thought = script.think === undefined ? [] : thoughtTokens(model, script.think);
  const markers = model.toolMarkers ?? QWEN_MARKERS;
  return {
    tokens: [...thought, ...answerTokens(script, markers)],
    forever: script.forever ?? false,
    failAfterTokens: script.failAfterTokens ?? null,
    failure: script.failure ?? FAILURE,
    callMarkers: script.toolCalls === undefined ? declaredMarkers(model, prompt) : markers,
    calls: script.toolCalls ?? [],
    delayMs: scripted?.delayMs ?? null,
  };
}

/** A service searches an answer for calls only when the request declares tools. */
function declaredMarkers(model: SimulatedModel, { tools }: PromptSeen): Markers | null {
  return tools.length === 0 ? null : model.toolMarkers;
}

function scriptOf(answer: ScriptedAnswer | null): Script | null {
  if (answer?.reply !== undefined) return { text: answer.reply };
  if (answer?.json !== undefined) return { text: JSON.stringify(answer.json) };
  return answer?.toolCalls === undefined ? null : { toolCalls: answer.toolCalls };
}

function scriptFor(model: SimulatedModel, prompt: PromptSeen): Script {
  if (typeof model.script === "function") return model.script(prompt);
  if (model.script !== undefined) return model.script;
  const think = model.reasoningMarkers === null ? {} : { think: "\nThis thought is simulated.\n" };
  return { ...think, text: simulatedText(prompt.text) };
}

function thoughtTokens(model: SimulatedModel, think: string): string[] {
  const { start, end } = model.reasoningMarkers ?? { start: "<think>", end: "</think>" };
  return [start, ...piecesOf(think), end];
}

function answerTokens(script: Script, { start, end }: Markers): readonly string[] {
  if (script.tokens !== undefined) return script.tokens;
  if (script.toolCalls === undefined) return piecesOf(script.text ?? simulatedText(""));
  return script.toolCalls.flatMap((call) => [
    start,
    "\n",
    ...piecesOf(JSON.stringify({ name: call.name, arguments: call.arguments })),
    "\n",
    end,
  ]);
}
