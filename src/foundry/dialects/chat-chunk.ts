import { z } from "zod";
import { MAX_TOKEN_COUNT } from "../../lib/index.js";

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
