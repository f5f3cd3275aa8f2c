import { z } from "zod";
import { MAX_TOKEN_COUNT } from "../../lib/index.js";
import type { FinishReason } from "./dialect.js";

/**
 * The stream of `/v1/chat/completions`. Servers differ in its flaws: text in `delta` or `message` or
 * both, usage in one chunk or in every one, a missing finish_reason, errors inside a 200, an end
 * without `[DONE]` (docs/foundry-local.md, section 4).
 */

const textSchema = z.string().nullish().catch(null);
const deltaSchema = z
  .object({ content: textSchema, reasoning_content: textSchema, reasoning: textSchema })
  .nullish()
  .catch(null);
const choiceSchema = z.object({
  delta: deltaSchema,
  message: deltaSchema,
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
export const chunkSchema = z.object({
  // The request asks for one choice. Others are ignored.
  choices: z
    .array(z.unknown())
    .transform(([first = null]) => first)
    .pipe(choiceSchema.nullable())
    .nullish(),
  usage: usageSchema.nullish(),
  error: z.unknown().optional(),
  object: z.unknown().optional(),
  message: z.unknown().optional(),
  detail: z.unknown().optional(),
});
export type Chunk = z.output<typeof chunkSchema>;

export const FINISH_REASONS: ReadonlyMap<string, FinishReason> = new Map([
  ["stop", "stop"],
  ["length", "length"],
  ["tool_calls", "tool_calls"],
  ["function_call", "tool_calls"],
  ["content_filter", "content_filter"],
]);
