import * as z from "zod";
import { type CompletionState, hasEnded } from "../../../jobs/index.js";
import type { Answered } from "../../../keeper/index.js";
import { counted, type FoundryError, LONGEST_REASONING, truncate } from "../../../lib/index.js";
import { endAdvice } from "../../end-advice.js";
import { completionUri } from "../../resources/index.js";
import type { ToolAnswer, ToolContext } from "../../tool.js";

/** A result longer than this is of no use to a host. */
export const LONGEST_TEXT = 60_000;
/**
 * A completion in a structured result. The listed schema is short, since hosts read it with each list of
 * tools: the rare members and the members of `usage` are only in {@link resultOf}.
 */
export const completionResult = z.looseObject({
  /** `null` beside `data`: it would be the same as JSON. */
  text: z.string().nullable(),
  status: z.string(),
  completion_id: z.string(),
  model: z.string().nullable(),
  finish_reason: z.string().nullable(),
  usage: z.record(z.string(), z.unknown()).nullable(),
  next_from: z.int().nullable(),
});
type CompletionResult = z.output<typeof completionResult>;

/**
 * A completion as structured result. `null` is what says nothing.
 *
 * @param longestReasoning In characters.
 */
export function resultOf(
  state: CompletionState,
  excerpt: Excerpt,
  longestReasoning = LONGEST_REASONING,
): CompletionResult {
  const { usage, attempts } = state;
  const isPart = excerpt.from > 0 || excerpt.isCut;
  return {
    text: state.data === undefined ? excerpt.text : null,
    data: state.data,
    tool_calls: state.toolCalls?.map((call) => ({ ...call })) ?? null,
    method: state.method ?? null,
    status: state.status,
    completion_id: state.id,
    model: state.model,
    finish_reason: state.finishReason,
    usage:
      usage.inputTokens === null && usage.outputTokens === null
        ? null
        : {
            input_tokens: usage.inputTokens,
            output_tokens: usage.outputTokens,
            estimated: usage.estimated || null,
          },
    from: isPart ? excerpt.from : null,
    next_from: nextFrom(state, excerpt),
    total_chars: isPart ? excerpt.total : null,
    // Returned once, with the first part of the text.
    reasoning: excerpt.from > 0 ? null : reasoningOf(state, longestReasoning),
    place: state.place,
    eta_s: secondsOf(state.etaMs),
    attempts: attempts === null || attempts <= 1 ? null : attempts,
    cached: state.cached || null,
    cached_age_s: cacheAgeOf(state),
    // Also among the notes, which hosts show: clients that read the result count them.
    warnings: [...state.warnings],
    ...state.details?.members,
  };
}

/** One completion as the answer to a call. */
export function answerWith<R>(
  state: CompletionState,
  excerpt: Excerpt,
  result: R,
  notes: readonly string[] = [],
): ToolAnswer<R> {
  return {
    next: nextOf(state, excerpt),
    notes: [...notes, ...notesOn(state, excerpt)],
    text: textOf(state, excerpt),
    result,
    failure: state.error,
  };
}

/** For hosts that show only the text: after the end of the text, the calls of tools, whose markup it does not have. */
export function textOf({ toolCalls }: CompletionState, { text, isCut }: Excerpt): string {
  if (toolCalls === undefined || isCut) return text;
  return [text, `tool_calls: ${JSON.stringify(toolCalls)}`]
    .filter((each) => each !== "")
    .join("\n\n");
}

/** A completion in a list: of the same members, the listed schema has fewer. */
export const listedResult = completionResult.pick({
  text: true,
  status: true,
  completion_id: true,
});

/** The same with its own failure. */
export const itemResult = listedResult.extend({
  error: z.record(z.string(), z.unknown()).nullable(),
});

export const itemOf = (
  state: CompletionState,
  excerpt: Excerpt,
  longestReasoning = LONGEST_REASONING,
): z.output<typeof itemResult> => ({
  ...resultOf(state, excerpt, longestReasoning),
  error: state.error === null ? null : errorOf(state.error),
});

export const errorOf = ({ code, message, action, retryable }: FoundryError) => ({
  code,
  message,
  action,
  retryable,
});

/** A completion's text from an offset on, at most so much of it. */
export const partOf = (state: CompletionState, from: number, longest: number): Excerpt =>
  excerptOf(state.text, { from, longest, isGrowing: !hasEnded(state) });

/** All of a completion's text that fits one result, from the beginning. */
export const wholeOf = (state: CompletionState): Excerpt => partOf(state, 0, LONGEST_TEXT);

/** Reports to the keeper that this text is being returned from its beginning, then returns it. */
export async function answeredWhole(
  state: CompletionState,
  { client, kept }: Pick<ToolContext, "client" | "kept">,
): Promise<Excerpt> {
  const excerpt = wholeOf(state);
  client.completions.noteReturned(state.id);
  kept.answeredRegenerated(state.id);
  await kept.answered(deliveryOf([{ state, excerpt }]));
  return excerpt;
}

/** The offset to continue from, for text that was cut or is still growing. */
function nextFrom(state: CompletionState, { from, text, isCut }: Excerpt): number | null {
  if (state.isDraft === true) return 0;
  return isCut || !hasEnded(state) ? from + text.length : null;
}

const cacheAgeOf = ({ cacheAgeMs }: CompletionState): number | null =>
  cacheAgeMs === undefined ? null : Math.round(cacheAgeMs / 1000);

/** Which completions an answer delivers to their end, and of which it promises the rest. */
export function deliveryOf(parts: readonly Part[]): Answered {
  const idsOf = (isWhole: boolean): string[] =>
    parts
      .filter(({ state, excerpt }) => (nextFrom(state, excerpt) === null) === isWhole)
      .map(({ state }) => state.id);
  return { promised: idsOf(false), delivered: idsOf(true) };
}

function reasoningOf({ reasoning }: CompletionState, longest: number): string | null {
  if (reasoning === null || reasoning.length <= longest) return reasoning;
  return `${truncate(reasoning, longest)}…`;
}

/** Never 0, which would say that it is over. */
export const secondsOf = (milliseconds: number | null): number | null =>
  milliseconds === null ? null : Math.max(1, Math.round(milliseconds / 1000));

/** A stretch of a text, in UTF-16 code units, that cuts no character in half. */
interface Excerpt {
  readonly text: string;
  readonly from: number;
  /** How long the whole text is, so far. */
  readonly total: number;
  /** Whether there is more of it already. */
  readonly isCut: boolean;
}

/** A completion, as far as its text fits. */
export interface Part {
  readonly state: CompletionState;
  readonly excerpt: Excerpt;
}

interface ExcerptOptions {
  readonly from: number;
  readonly longest: number;
  /** What comes last may be the first half of a character whose other half is still to come. */
  readonly isGrowing: boolean;
}

export function excerptOf(whole: string, { from, longest, isGrowing }: ExcerptOptions): Excerpt {
  const begin = cutsPair(whole, from) ? from - 1 : from;
  const endsInHalf = isGrowing && /[\uD800-\uDBFF]/.test(whole.slice(-1));
  const last = endsInHalf ? whole.length - 1 : whole.length;
  const limit = Math.min(last, begin + longest);
  const end = Math.max(begin, cutsPair(whole, limit) ? limit - 1 : limit);
  return {
    text: whole.slice(begin, end),
    from: begin,
    total: whole.length,
    isCut: end < last,
  };
}

/** Whether a surrogate pair stands around this offset. */
const cutsPair = (text: string, at: number): boolean => (text.codePointAt(at - 1) ?? 0) > 0xffff;

/** What an agent must know of a completion besides its text. */
export function notesOn(state: CompletionState, excerpt: Excerpt): string[] {
  const { text, error, toolCalls, details } = state;
  const warnings = [...(details?.notes ?? []), ...state.warnings];
  if (!hasEnded(state) || error !== null || toolCalls !== undefined) return warnings;
  const advice = endAdvice(state);
  const endNotes = advice === null ? [] : [advice];
  // The last warning of an empty answer says that it is empty.
  if (text.trim() === "") return [...warnings.slice(0, -1), ...endNotes];
  const isOver = excerpt.from > 0 && excerpt.text === "";
  const age = cacheAgeOf(state);
  return [
    ...(age === null ? [] : [`From the cache: the answer to the same request ${age} s ago.`]),
    ...(isOver ? [`Finished: there is no text after character ${excerpt.from}.`] : []),
    ...(excerpt.isCut ? [] : endNotes),
    ...warnings,
  ];
}

/** How to get the rest of a completion: how far it is, and exactly what to call. */
function nextOf(state: CompletionState, excerpt: Excerpt): string | null {
  if (hasEnded(state)) {
    if (excerpt.isCut) return restAdvice(state, excerpt);
    return state.toolCalls === undefined || state.error !== null ? null : endAdvice(state);
  }
  const next = nextFrom(state, excerpt) ?? 0;
  const call = `Call get_completion with completion_ids ["${state.id}"]`;
  const advice = next === 0 ? `${call} to get the answer.` : `${call} and from ${next} to read on.`;
  return `Not finished: ${howFar(state)}. ${advice}`;
}

/** How far a completion is that goes on, as part of a sentence. */
export function howFar({
  status,
  news,
  place,
  etaMs,
  model,
  usage,
  text,
}: CompletionState): string {
  // Another load may come first, and then the news is that.
  const step = news?.replace(/^[A-Z](?=[a-z])/, (c) => c.toLowerCase());
  if (status === "running") {
    const { outputTokens } = usage;
    // Of an answer in parts.
    if (step !== undefined) return step;
    if (outputTokens === null) return "reading the prompt, no tokens yet";
    const tokens = `${counted(outputTokens, "token")} so far`;
    return text === "" ? `${tokens}, still thinking` : `${tokens}, running`;
  }
  if (status === "loading") return step ?? `loading ${model ?? "the model"}`;
  if (place !== null) return waitingWords(place, etaMs).toLowerCase();
  return step ?? "not yet begun";
}

/** The place in the queue, and the estimated start where it is known. */
export function waitingWords(place: number, etaMs: number | null): string {
  const eta = secondsOf(etaMs);
  return eta === null ? `Waiting, place ${place}` : `Waiting, place ${place}, about ${eta} s`;
}

/** How to get what did not fit. */
export function restAdvice({ id }: CompletionState, { from, text, total }: Excerpt): string {
  const next = from + text.length;
  return `These are the characters ${from} to ${next} of ${total}. Call get_completion with completion_ids ["${id}"] and from ${next} to read on; ${completionUri(id)} is the whole as a resource.`;
}
