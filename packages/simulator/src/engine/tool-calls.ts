import { z } from "zod";
import type { ToolCall } from "./script.js";
import { simulatedObject } from "./text.js";

/** A tool that a request declares. */
export interface DeclaredTool {
  readonly name: string;
  readonly parameters: unknown;
}

export type ToolChoice = "auto" | "none" | "required" | { readonly name: string };

const members = z.record(z.string(), z.unknown());
const callSchema = z
  .object({ name: z.string(), arguments: members.optional(), parameters: members.optional() })
  .transform(
    (call): ToolCall => ({
      name: call.name,
      arguments: call.arguments ?? call.parameters ?? {},
    }),
  );

/**
 * What a simulated model calls: the tool it must, or the first that the prompt names. `null`: none.
 */
export function simulatedCall(
  tools: readonly DeclaredTool[],
  choice: ToolChoice,
  prompt: string,
  afterResult: boolean,
): ToolCall | null {
  if (choice === "none" || tools.length === 0) return null;
  const forced = typeof choice === "object" ? tools.find(({ name }) => name === choice.name) : null;
  const named = afterResult ? null : tools.find(({ name }) => prompt.includes(name));
  const called = forced ?? named ?? (choice === "required" ? tools[0] : null);
  return called ? { name: called.name, arguments: simulatedObject(called.parameters) } : null;
}

/** The calls in the text between two markers; `null` where it is none. */
export function parseCalls(text: string): ToolCall[] | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return z.array(callSchema).parse(Array.isArray(parsed) ? parsed : [parsed]);
  } catch {
    return null;
  }
}
