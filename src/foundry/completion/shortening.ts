import { MAX_TOKEN_COUNT } from "../../lib/index.js";
import type { Overflow } from "../dialects/index.js";

/** Where the service did not count the prompt: how often fewer tokens are tried. */
const MOST_GUESSES = 2;

export interface Shortening {
  /** The longest answer to request. */
  readonly maxTokens: number;
  /** What the caller must know of it. */
  readonly warning: string;
}

/** The request that was too long. */
interface TooLong {
  readonly model: string;
  readonly maxTokens: number;
  /** How often it was shortened already. */
  readonly tries: number;
}

/** A shorter answer that may fit after an overflow; `null` where there is none. */
export function shortening(
  { limit, input, isLeast, output, most }: Overflow,
  { model, maxTokens, tries }: TooLong,
): Shortening | null {
  const isCounted = believed(input) !== null && !isLeast;
  const limited = (tokens: number, why: string): Shortening | null => {
    const warning = `The answer was limited to ${tokens} tokens, which is ${why}.`;
    return tokens < 1 ? null : { maxTokens: tokens, warning };
  };
  if (tries >= (isCounted || most !== null ? 1 : MOST_GUESSES)) return null;
  if (believed(most) !== null && most !== null) return limited(most, `the most of ${model}`);
  if (believed(limit) === null || limit === null) return null;
  const context = `the context of ${model} (${limit} tokens)`;
  if (isCounted && input !== null) {
    return limited(limit - input, `what ${context} leaves after the prompt`);
  }
  // Only a service that counts the answer, too, accepts fewer tokens.
  if (output === null) return null;
  const guess = Math.floor(Math.min(limit, maxTokens) / (tries === 0 ? 2 : 4));
  return limited(guess, `a part of ${context}`);
}

/** A service's figure; `null` if it is no count of tokens. */
export const believed = (tokens: number | null): number | null =>
  tokens !== null && Number.isInteger(tokens) && tokens >= 0 && tokens <= MAX_TOKEN_COUNT
    ? tokens
    : null;
