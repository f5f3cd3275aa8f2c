import type { SimulatedModel } from "../models/model.js";

const PIECE = /\s*[\p{L}\p{N}]{1,6}|\s*[^\s\p{L}\p{N}]|\s+/gu;

/** A text as the tokens that a model would write it in: words of up to six letters, signs, spaces. */
export function piecesOf(text: string): string[] {
  return text.match(PIECE) ?? [];
}

export interface PromptMessage {
  readonly role: string;
  readonly content: string;
}

/** Tokens of a prompt after the chat template. */
export function promptTokens(model: SimulatedModel, messages: readonly PromptMessage[]): number {
  if (model.tokenizer === "bytes") {
    // `role:content\n` for each, and one token that says it is the model's turn.
    const text = messages.map(({ role, content }) => `${role}:${content}\n`).join("");
    return Buffer.byteLength(text) + 1;
  }
  const texts = messages.map(({ content }) => piecesOf(content).length);
  const template = model.templateTokens + 4 * (messages.length - 1);
  return texts.reduce((sum, count) => sum + count, template);
}

/** The native engine's words for a prompt and an answer that do not fit the context together. */
export function overflowText(input: number, output: number, model: SimulatedModel): string {
  return `request requires ${input + output} total tokens (${input} input + ${output} output), which exceeds the model's maximum context length of ${model.contextLength} tokens`;
}
