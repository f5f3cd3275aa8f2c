import type { PromptKind } from "./report.js";

/** Characters of the long prompt: about 1,000 tokens of English. */
const LONG_CHARACTERS = 4000;
/** A long prompt below this would not differ from a short one. */
const LEAST_LONG_CHARACTERS = 600;
/** Few tokens have fewer characters in English, so a prompt of this density fits its context. */
const CHARACTERS_PER_TOKEN = 2.5;
/** For the template of the model. */
const TEMPLATE_TOKENS = 64;

const SENTENCES = [
  "The ferry left the harbour at seven and reached the island before noon.",
  "Two of the twelve boxes had been opened, and the list did not say by which office.",
  "A meeting about the new timetable was moved from Tuesday to Thursday afternoon.",
  "The bridge is closed to lorries until the end of the month, but not to cyclists.",
  "Repairs of the north window cost less than was planned; the roof cost more.",
  "Visitors may borrow three books for two weeks and renew them once by telephone.",
  "The smaller of the two pumps was replaced, and the pressure has been steady since.",
] as const;

/**
 * A prompt of this kind that asks for a long answer.
 *
 * @param key Begins the prompt, so that no cache of an earlier prompt helps.
 * @param contextLength Tokens of prompt and answer; `null`: unknown.
 * @returns `null` where the context is too small for a long prompt.
 */
export function promptOf(
  kind: PromptKind,
  key: number,
  answerTokens: number,
  contextLength: number | null,
): string | null {
  if (kind === "short") return `Note ${key}. Write a long story about a lighthouse.`;
  const room =
    contextLength === null
      ? LONG_CHARACTERS
      : (contextLength - answerTokens - TEMPLATE_TOKENS) * CHARACTERS_PER_TOKEN;
  const longest = Math.floor(Math.min(LONG_CHARACTERS, room));
  if (longest < LEAST_LONG_CHARACTERS) return null;
  let text = `Note ${key}. Retell these notes as a long story.`;
  for (let at = 0; ; at += 1) {
    const next = `${text}\n${at + 1}. ${SENTENCES[(key + at) % SENTENCES.length]}`;
    if (next.length > longest) return text;
    text = next;
  }
}
