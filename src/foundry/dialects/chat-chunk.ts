import { z } from "zod";
import {
  CHARACTERS_SLACK,
  MAX_CHARACTERS_PER_TOKEN,
  MAX_COMPLETION_CHARACTERS,
  MAX_PIECES_PER_TOKEN,
  MAX_TOKEN_COUNT,
  PIECES_SLACK,
  truncate,
} from "../../lib/index.js";
import type { ChatEvent } from "./dialect.js";

/**
 * The stream of `/v1/chat/completions`. Servers differ in its flaws: text in `delta`, `message` or
 * `text`, usage in one chunk or in every one, a missing finish_reason, errors inside a 200, an end
 * without `[DONE]` (docs/foundry-local.md, section 4).
 */

const textSchema = z.string().nullish().catch(null);
const choiceSchema = z.object({
  delta: z.unknown().optional(),
  message: z.unknown().optional(),
  /** The older API of plain completions. */
  text: textSchema,
  finish_reason: textSchema,
});
const countSchema = z.int().min(0).max(MAX_TOKEN_COUNT);
const usageSchema = z
  .object({ prompt_tokens: countSchema, completion_tokens: countSchema })
  .transform(({ prompt_tokens, completion_tokens }) => ({
    inputTokens: prompt_tokens,
    outputTokens: completion_tokens,
  }))
  // Fractions, negative numbers and strings are no token counts.
  .catch({ inputTokens: 0, outputTokens: 0 });
const isEmptyError = (error: unknown): boolean =>
  error === false || error === 0 || (typeof error === "string" && error.trim() === "");

export const chunkSchema = z.object({
  // The request asks for one choice. Others are ignored.
  choices: z
    .array(z.unknown())
    .transform(([first = null]) => first)
    .pipe(choiceSchema.nullable())
    .nullish(),
  usage: usageSchema.nullish(),
  // Some engines send an empty one with every chunk.
  error: z
    .unknown()
    .transform((error) => (isEmptyError(error) ? null : error))
    .optional(),
  object: z.unknown().optional(),
  message: z.unknown().optional(),
  detail: z.unknown().optional(),
});
export type Chunk = z.output<typeof chunkSchema>;
export type Choice = z.output<typeof choiceSchema>;

/**
 * A bound on the length of an answer. `max_tokens` is always sent, so a service that exceeds it by
 * far does not stop by itself.
 */
export class Allowance {
  readonly #maxPieces: number;
  #charactersLeft: number;
  #pieces = 0;
  #isUsedUp = false;

  constructor(maxTokens: number) {
    this.#maxPieces = maxTokens * MAX_PIECES_PER_TOKEN + PIECES_SLACK;
    this.#charactersLeft = Math.min(
      maxTokens * MAX_CHARACTERS_PER_TOKEN + CHARACTERS_SLACK,
      MAX_COMPLETION_CHARACTERS,
    );
  }

  /** The number of text and reasoning events so far. */
  get pieces(): number {
    return this.#pieces;
  }

  get isUsedUp(): boolean {
    return this.#isUsedUp;
  }

  /** The event, truncated to the allowance. `overrun` follows when the allowance is used up. */
  *limit(event: ChatEvent): Generator<ChatEvent> {
    if (this.#isUsedUp) return;
    if (event.type !== "text" && event.type !== "reasoning") {
      yield event;
      return;
    }
    this.#pieces += 1;
    this.#isUsedUp = this.#pieces > this.#maxPieces || event.text.length > this.#charactersLeft;
    const text = truncate(event.text, this.#charactersLeft);
    this.#charactersLeft -= text.length;
    if (text !== "") yield { ...event, text };
    if (this.#isUsedUp) yield { type: "overrun" };
  }
}
