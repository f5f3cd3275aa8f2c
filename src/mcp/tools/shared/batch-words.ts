import type { Batch, BatchResult } from "../../../jobs/index.js";
import { failureLine } from "../../tool.js";
import { type Part, textOf } from "./completion-result.js";
import { adviceOnSeveral, grouped } from "./several.js";

/** A result as far as it fits. */
export type BatchPart = BatchResult & Part;

/** Of the ids of the results to come, so many are in an answer; `batch_id` fetches all. */
export const MOST_PENDING = 10;
/** Different failures whose text is given; an engine may put another id into each. */
const MOST_FAILURES = 5;

/** How far a batch is. */
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
