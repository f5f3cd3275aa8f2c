import { z } from "zod";
import { COMPLETION_STATUSES, type FinishReason } from "../../../foundry/index.js";
import { type CompletionState, hasEnded } from "../../../jobs/index.js";
import { briefFailure } from "../../tool.js";

export const FINISH_REASONS = [
  "stop",
  "length",
  "tool_calls",
  "content_filter",
] as const satisfies readonly FinishReason[];

/** A result longer than this is of no use to a host. */
export const LONGEST_TEXT = 60_000;
/** Thinking is a detail beside the answer. */
const LONGEST_REASONING = 20_000;

/** The fields every tool returns for a completion. */
export const completionShape = {
  completion_id: z.string(),
  status: z.enum(COMPLETION_STATUSES),
  text: z.string(),
  from: z.int().describe("Offset of text in the whole text"),
  next_from: z.int().nullable().describe("Offset to continue from; null at the end"),
  total_chars: z.int(),
  reasoning: z.string().nullable().describe("The model's reasoning before its answer"),
  finish_reason: z
    .enum(FINISH_REASONS)
    .nullable()
    .describe("length: cut off at max_tokens or the context limit"),
  model: z.string().nullable().describe("Exact id"),
  place: z.int().nullable().describe("Position in the queue; 1 is next"),
  eta_s: z.number().nullable().describe("Estimated seconds until it starts"),
  usage: z.object({
    input_tokens: z.int().nullable(),
    output_tokens: z.int().nullable(),
    estimated: z.boolean(),
  }),
  timing: z.object({
    queued_ms: z.number().nullable(),
    load_ms: z.number().nullable(),
    first_token_ms: z.number().nullable(),
    total_ms: z.number(),
    tokens_per_second: z.number().nullable(),
  }),
  attempts: z.int().nullable(),
  cached: z.boolean(),
  warnings: z.array(z.string()),
};

export const completionResult = z.object(completionShape);
export type CompletionResult = z.output<typeof completionResult>;

/** A completion as structured tool result. Includes the failure, since some hosts show only this part. */
export function resultOf(state: CompletionState, excerpt: Excerpt): CompletionResult {
  const { usage, timing, error } = state;
  return {
    completion_id: state.id,
    status: state.status,
    text: excerpt.text,
    from: excerpt.from,
    next_from: nextFrom(state, excerpt),
    total_chars: excerpt.total,
    // Returned once, with the first part of the text.
    reasoning: excerpt.from > 0 ? null : reasoningOf(state),
    finish_reason: state.finishReason,
    model: state.model,
    place: state.place,
    eta_s: secondsOf(state.etaMs),
    usage: {
      input_tokens: usage.inputTokens,
      output_tokens: usage.outputTokens,
      estimated: usage.estimated,
    },
    timing: {
      queued_ms: timing.queuedMs,
      load_ms: timing.loadMs,
      first_token_ms: timing.firstTokenMs,
      total_ms: timing.totalMs,
      tokens_per_second: timing.tokensPerSecond,
    },
    attempts: state.attempts,
    cached: state.cached,
    warnings: [...state.warnings, ...(error === null ? [] : [briefFailure(error)])],
  };
}

/** A completion's text from an offset on, at most so much of it. */
export const partOf = (state: CompletionState, from: number, longest: number): Excerpt =>
  excerptOf(state.text, { from, longest, isGrowing: !hasEnded(state) });

/** All of a completion's text that fits one result, from the beginning. */
export const wholeOf = (state: CompletionState): Excerpt => partOf(state, 0, LONGEST_TEXT);

/** The offset to continue from, for text that was cut or is still growing. */
export function nextFrom(state: CompletionState, { from, text, isCut }: Excerpt): number | null {
  return isCut || !hasEnded(state) ? from + text.length : null;
}

function reasoningOf({ reasoning }: CompletionState): string | null {
  if (reasoning === null || reasoning.length <= LONGEST_REASONING) return reasoning;
  return `${headOf(reasoning, LONGEST_REASONING)}…`;
}

/** Never 0, which would say that it is over. */
export const secondsOf = (milliseconds: number | null): number | null =>
  milliseconds === null ? null : Math.max(1, Math.round(milliseconds / 1000));

/** A stretch of a text, in UTF-16 code units, that cuts no character in half. */
export interface Excerpt {
  readonly text: string;
  readonly from: number;
  /** How long the whole text is, so far. */
  readonly total: number;
  /** Whether there is more of it already. */
  readonly isCut: boolean;
}

interface ExcerptOptions {
  readonly from: number;
  readonly longest: number;
  /** What comes last may be the first half of a character whose other half is still to come. */
  readonly isGrowing: boolean;
}

export function excerptOf(whole: string, { from, longest, isGrowing }: ExcerptOptions): Excerpt {
  const begin = cutsPair(whole, from) ? from - 1 : from;
  const last = isGrowing && isHigh(whole, whole.length - 1) ? whole.length - 1 : whole.length;
  const limit = Math.min(last, begin + longest);
  const end = Math.max(begin, cutsPair(whole, limit) ? limit - 1 : limit);
  return {
    text: whole.slice(begin, end),
    from: begin,
    total: whole.length,
    isCut: end < last,
  };
}

/** At most so much of the beginning of a text. */
export const headOf = (whole: string, longest: number): string =>
  whole.slice(0, cutsPair(whole, longest) ? longest - 1 : longest);

const isHigh = (text: string, at: number): boolean => /^[\uD800-\uDBFF]$/.test(text.charAt(at));
const isLow = (text: string, at: number): boolean => /^[\uDC00-\uDFFF]$/.test(text.charAt(at));
const cutsPair = (text: string, at: number): boolean => isHigh(text, at - 1) && isLow(text, at);
