import type { PromptSeen, Script, SimulatedModel } from "../models/model.js";
import { simulatedText } from "./text.js";
import { piecesOf } from "./tokens.js";

/** A call of a tool that the request declares. */
export interface ToolCall {
  readonly name: string;
  readonly arguments: object;
}

/** What the model will write, before anybody cuts it. */
export interface RawAnswer {
  readonly tokens: readonly string[];
  readonly forever: boolean;
  /** `null`: it does not fail. */
  readonly failAfterTokens: number | null;
  readonly failure: string;
}

/** What the engine says when a model fails while generating, and no script says otherwise. */
const FAILURE =
  "Non-zero status code returned while running Gather node. Name:'' Status Message: " +
  "indices element out of data bounds, idx=278 must be within the inclusive range [-278,277]";

/**
 * The tokens of a model's script for this prompt, with the markers the model publishes.
 *
 * @param call what a model without a script calls instead of writing; `null`: it writes.
 */
export function rawAnswer(
  model: SimulatedModel,
  prompt: PromptSeen,
  call: ToolCall | null,
): RawAnswer {
  const script = scriptFor(model, prompt, call);
  const thought = script.think === undefined ? [] : thoughtTokens(model, script.think);
  return {
    tokens: [...thought, ...answerTokens(model, script)],
    forever: script.forever ?? false,
    failAfterTokens: script.failAfterTokens ?? null,
    failure: script.failure ?? FAILURE,
  };
}

function scriptFor(model: SimulatedModel, prompt: PromptSeen, call: ToolCall | null): Script {
  if (typeof model.script === "function") return model.script(prompt);
  if (model.script !== undefined) return model.script;
  if (call !== null) return { toolCalls: [call] };
  const think = model.reasoningMarkers === null ? {} : { think: "\nThis thought is simulated.\n" };
  return { ...think, text: simulatedText(prompt.text) };
}

function thoughtTokens(model: SimulatedModel, think: string): string[] {
  const { start, end } = model.reasoningMarkers ?? { start: "<think>", end: "</think>" };
  return [start, ...piecesOf(think), end];
}

function answerTokens(model: SimulatedModel, script: Script): readonly string[] {
  if (script.tokens !== undefined) return script.tokens;
  if (script.toolCalls === undefined) return piecesOf(script.text ?? simulatedText(""));
  const { start, end } = model.toolMarkers ?? { start: "<tool_call>", end: "</tool_call>" };
  return script.toolCalls.flatMap((call) => [
    start,
    "\n",
    ...piecesOf(JSON.stringify({ name: call.name, arguments: call.arguments })),
    "\n",
    end,
  ]);
}
