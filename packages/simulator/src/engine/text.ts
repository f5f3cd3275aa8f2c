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
