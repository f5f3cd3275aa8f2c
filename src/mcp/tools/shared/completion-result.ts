import * as z from "zod";
import { COMPLETION_STATUSES, type FinishReason } from "../../../foundry/index.js";
import { type CompletionState, hasEnded, type RunEvent } from "../../../jobs/index.js";
import type { Answered } from "../../../keeper/index.js";
import { type FoundryError, LONGEST_ERROR, truncate } from "../../../lib/index.js";
import type { ProgressReporter } from "../../progress-reporter.js";
import { completionUri } from "../../resources/index.js";
import { briefFailure, failureLine } from "../../tool.js";

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

/** Which completions an answer delivers to their end, and of which it promises the rest. */
export function deliveryOf(parts: readonly Part[]): Answered {
  const idsOf = (isWhole: boolean): string[] =>
    parts
      .filter(({ state, excerpt }) => (nextFrom(state, excerpt) === null) === isWhole)
      .map(({ state }) => state.id);
  return { promised: idsOf(false), delivered: idsOf(true) };
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

/** The answer itself, nothing around it, so that it can be used as it is. */
export function answerOf({ text, finishReason }: CompletionState, excerpt: Excerpt): string {
  // What is empty because it was read before is no empty answer.
  if (text.trim() !== "") return excerpt.text;
  if (finishReason === "length") {
    return "(The model used up its tokens before it gave an answer, perhaps while thinking. Ask again with a larger max_tokens.)";
  }
  if (finishReason === "content_filter") {
    return "(A content filter ended the answer before its first word. Rephrase the request, or try another model.)";
  }
  return "(The model gave no text before it ended. Rephrase the request, leave stop out, or try another model.)";
}

/** What a reader of the text alone must know besides. */
export function notesOn(state: CompletionState, excerpt: Excerpt): string[] {
  const { text, finishReason, warnings } = state;
  const rest = excerpt.isCut ? [restAdvice(state, excerpt)] : [];
  // The last warning of an empty answer says that it is empty, which the text says, too.
  if (text.trim() === "" && hasEnded(state) && state.error === null) return warnings.slice(0, -1);
  const cutOff = excerpt.isCut || finishReason === null ? undefined : CUT_OFF[finishReason];
  return [...rest, ...(cutOff === undefined ? [] : [cutOff]), ...warnings];
}

/** The ends after which an answer may not be whole. */
const CUT_OFF: Readonly<Partial<Record<FinishReason, string>>> = {
  length: "The answer was cut off at its token limit; ask again with a larger max_tokens.",
  content_filter:
    "A content filter ended the answer, so it may not be whole; rephrase the request, or try another model.",
};

/** The first line about a completion that goes on: how far it is, and exactly what to call next. */
function goesOnLine(state: CompletionState, excerpt: Excerpt): string {
  const next = nextFrom(state, excerpt) ?? 0;
  const call = `Call get_completion with completion_ids ["${state.id}"]`;
  const advice = next === 0 ? `${call} to get the answer.` : `${call} and from ${next} to read on.`;
  return `Not finished: ${howFar(state)}. ${advice}`;
}

/** A completion that goes on: that line, and the text so far. */
export function goesOnText(state: CompletionState, excerpt: Excerpt): string {
  const line = goesOnLine(state, excerpt);
  return excerpt.text === "" ? line : `${line}\n\n${excerpt.text}`;
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
  if (status === "running") {
    const { outputTokens } = usage;
    if (outputTokens === null) return "reading the prompt, no tokens yet";
    const tokens = `${outputTokens} ${outputTokens === 1 ? "token" : "tokens"} so far`;
    return text === "" ? `${tokens}, still thinking` : `${tokens}, running`;
  }
  // Another load may come first, and then the news is that.
  const step = news?.replace(/^[A-Z](?=[a-z])/, (c) => c.toLowerCase());
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

interface Part {
  readonly state: CompletionState;
  readonly excerpt: Excerpt;
}

/** Several completions as one text: what to call next, then each under its id. */
export function severalText(parts: readonly Part[], missing: readonly FoundryError[]): string {
  const open = parts.filter(({ state }) => !hasEnded(state));
  const ids = JSON.stringify(open.map(({ state }) => state.id));
  const first =
    open.length === 0
      ? endedWords(parts.length, missing.length)
      : `Not finished: ${open.length} of ${parts.length} go on. Call get_completion with completion_ids ${ids} to wait for them.`;
  const failures = [...missing, ...parts.flatMap(({ state }) => state.error ?? [])];
  const wordsOf = failureWords(failures);
  return [first, ...missing.map(wordsOf), ...parts.map((part) => partText(part, wordsOf))].join(
    "\n\n",
  );
}

/** Of several failures, so many have their words in the text; the structured result has those of all. */
const MOST_WORDED = 4;

/** What the text says of each failure, so that all of them together stay below {@link LONGEST_ERROR}. */
function failureWords(failures: readonly FoundryError[]): (error: FoundryError) => string {
  const isMany = failures.length > MOST_WORDED;
  const longest = LONGEST_ERROR / MOST_WORDED / (isMany ? 2 : 1);
  const worded = new Set(failures.slice(0, MOST_WORDED));
  return (error) => (worded.has(error) ? truncate(failureLine(error), longest) : error.code);
}

function endedWords(ended: number, missing: number): string {
  if (missing === 0) return `All ${ended} have ended.`;
  const others = missing === 1 ? "1 was not found" : `${missing} were not found`;
  return `${ended} of ${ended + missing} ${ended === 1 ? "has" : "have"} ended, and ${others}.`;
}

function partText({ state, excerpt }: Part, wordsOf: (error: FoundryError) => string): string {
  const rest = excerpt.isCut ? `\n(${restAdvice(state, excerpt)})` : "";
  const { id, status, error } = state;
  if (!hasEnded(state)) return `${id}, ${howFar(state)}:\n${excerpt.text}${rest}`.trimEnd();
  if (error !== null) {
    return `${id}, ${status}, ${wordsOf(error)}\n${excerpt.text}${rest}`.trimEnd();
  }
  return `${id}, ${status}:\n${answerOf(state, excerpt)}${rest}`;
}

const ASKING = "Asking the service";

/** Reports the progress of a completion that a call waits for. */
export function reportEvent(event: RunEvent, progress: ProgressReporter): void {
  if (event.type === "status") {
    reportStatus(event.status, event.model, progress);
  } else if (event.type === "text") {
    progress.token(event.text);
  } else if (event.type === "reasoning") {
    progress.token("");
  } else if (event.type === "news") {
    progress.news(event.news, ASKING);
  } else if (event.type === "place") {
    reportPlace(event.place, event.etaMs, progress);
  }
}

/** Where a completion stands when a call begins to wait for it. */
export function reportState(state: CompletionState, progress: ProgressReporter): void {
  const { status, place, etaMs, model, news } = state;
  if (status === "loading" || status === "running") reportStatus(status, model, progress);
  else if (place !== null) reportPlace(place, etaMs, progress);
  else progress.waiting(news ?? ASKING);
}

function reportStatus(
  status: "loading" | "running",
  model: string | null,
  progress: ProgressReporter,
): void {
  progress.waiting(status === "loading" ? `Loading ${model ?? "the model"}` : "Reading the prompt");
}

function reportPlace(place: number, etaMs: number | null, progress: ProgressReporter): void {
  progress.waitingInWords((seconds) =>
    waitingWords(place, etaMs === null ? null : Math.max(0, etaMs - seconds * 1000)),
  );
}
