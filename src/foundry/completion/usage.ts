import type { CompletionUsage } from "./completion.js";

/** The tokens of two answers together. */
export const sumOf = (one: CompletionUsage, other: CompletionUsage): CompletionUsage => ({
  inputTokens: sum(one.inputTokens, other.inputTokens),
  outputTokens: sum(one.outputTokens, other.outputTokens),
  estimated: one.estimated || other.estimated,
});

const sum = (one: number | null, other: number | null): number | null =>
  one === null && other === null ? null : (one ?? 0) + (other ?? 0);
