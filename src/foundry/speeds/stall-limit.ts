import type { Speed } from "./speed-memory.js";

/** Longest silence of a generation where none is set, in milliseconds. */
export const STALL_MS = 300_000;
const LONGEST_STALL_MS = 3_600_000;
/** A long prompt takes longer for each of its tokens, and the device may have other work. */
const STALL_MARGIN = 4;

/** How long a model will read a prompt, in milliseconds; `null`: not known. */
export const readingMs = (speed: Speed | null, inputTokens: number | null): number | null =>
  speed === null || speed.promptTokensPerSecond === null || inputTokens === null
    ? null
    : (inputTokens * 1000) / speed.promptTokensPerSecond;

/** Longest silence of a generation in milliseconds, as the speed of its model suggests. */
export function stallLimit(speed: Speed | null, inputTokens: number | null): number {
  const learned = STALL_MARGIN * (readingMs(speed, inputTokens) ?? 0);
  return Math.round(Math.min(LONGEST_STALL_MS, Math.max(STALL_MS, learned)));
}
