import type { SimulatedModel } from "../models/model.js";

/** The first sentence of every text, so that it is not mistaken for a model's. */
const SIMULATED = "This is simulated text from the foundry-local-mcp simulator, not from a model.";

const SENTENCES = [
  "The same prompt gives the same text each time.",
  "Its length depends on the prompt and on nothing else.",
  "It arrives one piece of a word at a time, as the text of a model does.",
  "Nothing in it is an answer to what was asked.",
  "The tokens are counted the same way in the usage and in the stream.",
  "With a lower limit of tokens it would have ended sooner.",
  "A request for a stream gets these same words one after the other.",
  "A real model would take longer for the first word than for the others.",
  "These sentences are chosen by a number made from the prompt.",
  "The text ends by itself when its last sentence is over.",
  "When this text arrives, the connection works.",
  "To see an answer of a model, use a real service in place of this one.",
] as const;

/**
 * A text that says it is simulated: between four and nine sentences, always the same for the same
 * prompt.
 */
export function simulatedText(prompt: string): string {
  let seed = hash(prompt);
  const chosen: string[] = [SIMULATED];
  const left: string[] = [...SENTENCES];
  const count = 3 + (seed % 6);
  while (chosen.length <= count) {
    seed = hash(String(seed));
    chosen.push(...left.splice(seed % left.length, 1));
  }
  return chosen.join(" ");
}

/** FNV-1a, 32 bits. */
export function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}

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
