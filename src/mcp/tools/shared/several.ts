import { type Batch, type BatchResult, hasEnded } from "../../../jobs/index.js";
import { counted, type FoundryError, LONGEST_ERROR, truncate } from "../../../lib/index.js";
import { failureLine } from "../../tool.js";
import { howFar, notesOn, type Part, restAdvice, textOf } from "./completion-result.js";

/** Further notes are only counted. */
const MOST_NOTES = 10;

/**
 * What to call next for several completions, and what else there is to know of them: to wait for those
 * that go on comes first, then the rest of each text that was cut.
 */
export function adviceOnSeveral<P extends Part>(
  parts: readonly P[],
  goesOn: string | null,
  nameOf: (parts: readonly P[]) => string,
): { readonly next: string | null; readonly notes: readonly string[] } {
  const rests = parts
    .filter(({ state, excerpt }) => excerpt.isCut && hasEnded(state))
    .map(({ state, excerpt }) => restAdvice(state, excerpt));
  const [next = null, ...others] = goesOn === null ? rests : [goesOn, ...rests];
  const lines = grouped(parts, ({ state, excerpt }) => notesOn(state, excerpt)).map(
    ([note, those]) => `${nameOf(those)}: ${note}`,
  );
  const more = lines.length - MOST_NOTES;
  const notes =
    more > 0 ? [...lines.slice(0, MOST_NOTES), `And ${counted(more, "other note")}.`] : lines;
  return { next, notes: [...others, ...notes] };
}

/** Each text once, with the parts that have it. */
function grouped<P>(parts: readonly P[], textsOf: (part: P) => readonly string[]): [string, P[]][] {
  const groups = new Map<string, P[]>();
  for (const part of parts) {
    for (const text of textsOf(part)) {
      const group = groups.get(text) ?? [];
      groups.set(text, group);
      group.push(part);
    }
  }
  return [...groups];
}

/** What to call where some of several go on. */
export function goesOnLine(parts: readonly Part[]): string | null {
  const open = parts.filter(({ state }) => !hasEnded(state));
  if (open.length === 0) return null;
  const ids = JSON.stringify(open.map(({ state }) => state.id));
  return `Not finished: ${open.length} of ${parts.length} go on. Call get_completion with completion_ids ${ids} to wait for them.`;
}

/** Several completions as one text, each under its id. */
export function severalText(parts: readonly Part[], missing: readonly FoundryError[]): string {
  const isOpen = parts.some(({ state }) => !hasEnded(state));
  const first = isOpen ? [] : [endedWords(parts.length, missing.length)];
  const failures = [...missing, ...parts.flatMap(({ state }) => state.error ?? [])];
  const wordsOf = failureWords(failures);
  return [...first, ...missing.map(wordsOf), ...parts.map((part) => partText(part, wordsOf))].join(
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
  const { id, status, error } = state;
  const text = textOf(state, excerpt);
  if (!hasEnded(state)) return `${id}, ${howFar(state)}:\n${text}`.trimEnd();
  if (error !== null) return `${id}, ${status}, ${wordsOf(error)}\n${text}`.trimEnd();
  return `${id}, ${status}:\n${text}`;
}

/** A result as far as it fits. */
export type BatchPart = BatchResult & Part;

/** Of the ids of the results to come, so many are in an answer; `batch_id` fetches all. */
export const MOST_PENDING = 10;
/** Different failures whose text is given; an engine may put another id into each. */
const MOST_FAILURES = 5;

export function batchProgress(batch: Batch): string {
  const { done, size, outage } = batch;
  const counts = batch.counts();
  const failed = counts.failed + counts.interrupted;
  const words = [`${done} of ${size} done`];
  if (failed > 0) words.push(`${failed} failed`);
  if (counts.cancelled > 0) words.push(`${counts.cancelled} cancelled`);
  if (counts.loading > 0) words.push("loading the model");
  if (outage !== null) words.push("waiting for the service to come back");
  return words.join(", ");
}

/** What to call for the results that are still to come. */
function batchGoesOn(batch: Batch): string | null {
  const pending = batch.pending.length;
  if (pending === 0) return null;
  const id = JSON.stringify(batch.id);
  const toCome = pending === 1 ? "1 result is" : `${pending} results are`;
  const first = pending > MOST_PENDING ? ` (pending has the first ${MOST_PENDING})` : "";
  return `Not finished: batch ${id}, ${batchProgress(batch)}. ${toCome} still to come${first}: call complete_batch with batch_id ${id} and nothing else.`;
}

/** Each result under its number; equal failures together. */
export function batchText(batch: Batch, parts: readonly BatchPart[]): string {
  const isOver = batch.pending.length === 0;
  const first = `Batch ${JSON.stringify(batch.id)}: ${batchProgress(batch)}. All results have been returned.`;
  const answers = parts.filter(({ state }) => state.error === null || state.text !== "");
  return [...(isOver ? [first] : []), ...answers.map(answerText), ...failures(parts)].join("\n\n");
}

/** What to call next, and what else the reader of the results must know. */
export function batchAdvice(batch: Batch, parts: readonly BatchPart[]) {
  const { outage } = batch;
  const { next, notes } = adviceOnSeveral(parts, batchGoesOn(batch), numbers);
  const gone = `The service is unavailable. The batch continues when it is back. ${outage === null ? "" : failureLine(outage)}`;
  return { next, notes: [...(outage === null ? [] : [gone]), ...notes] };
}

function answerText({ index, state, excerpt }: BatchPart): string {
  const { status, error } = state;
  if (error === null) return `[${index}]\n${textOf(state, excerpt)}`;
  const what = error.code === "SCHEMA_MISMATCH" ? "last answer" : "incomplete answer";
  return `[${index}] ${status}, ${what}:\n${textOf(state, excerpt)}`;
}

function failures(parts: readonly BatchPart[]): string[] {
  const all = grouped(parts, ({ state: { error, status } }) =>
    error === null ? [] : [`${status}, ${failureLine(error)}`],
  );
  const others = all.slice(MOST_FAILURES).flatMap(([, those]) => those);
  return [
    ...all.slice(0, MOST_FAILURES).map(([text, those]) => `${numbers(those)} ${text}`),
    ...(others.length === 0
      ? []
      : [`${numbers(others)} failed in other ways. The structured results say how.`]),
  ];
}

/** `[0], [3] to [9]` */
function numbers(parts: readonly BatchPart[]): string {
  const ranges: [number, number][] = [];
  for (const { index } of parts) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === index - 1) last[1] = index;
    else ranges.push([index, index]);
  }
  return ranges
    .map(([from, to]) => (from === to ? `[${from}]` : `[${from}] to [${to}]`))
    .join(", ");
}
