import type { PromptSeen, Script, SimulatedModel } from "../models/model.js";
import { simulatedText } from "./text.js";
import { piecesOf } from "./tokens.js";

/** A call of a tool. */
export interface ToolCall {
  readonly name: string;
  readonly arguments: object;
}

/** The tokens before and after a tool call or a thought. */
export interface Markers {
  readonly start: string;
  readonly end: string;
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
}

/** The engine's message when a model fails while generating, unless a script has another. */
const FAILURE =
  "Non-zero status code returned while running Gather node. Name:'' Status Message: " +
  "indices element out of data bounds, idx=278 must be within the inclusive range [-278,277]";
const QWEN_MARKERS: Markers = { start: "<tool_call>", end: "</tool_call>" };

/** The tokens of a model's script for this prompt, with the model's own markers. */
export function rawAnswer(model: SimulatedModel, prompt: PromptSeen): RawAnswer {
  const script = scriptFor(model, prompt);
  const thought = script.think === undefined ? [] : thoughtTokens(model, script.think);
  const markers = model.toolMarkers ?? QWEN_MARKERS;
  return {
    tokens: [...thought, ...answerTokens(script, markers)],
    forever: script.forever ?? false,
    failAfterTokens: script.failAfterTokens ?? null,
    failure: script.failure ?? FAILURE,
    callMarkers: script.toolCalls === undefined ? declaredMarkers(model, prompt) : markers,
  };
}

/** A service searches an answer for calls only when the request declares tools. */
function declaredMarkers(model: SimulatedModel, { tools }: PromptSeen): Markers | null {
  return tools.length === 0 ? null : model.toolMarkers;
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
