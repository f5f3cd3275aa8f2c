import type { Batch, BatchResult } from "../../../jobs/index.js";
import { failureLine } from "../../tool.js";
import { answerOf, type Excerpt, restAdvice } from "./completion-result.js";

/** A result as far as it fits. */
export interface BatchPart extends BatchResult {
  readonly excerpt: Excerpt;
}

/** Further warnings are only counted. */
const MOST_WARNINGS = 10;

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

/** What to call next, then each result under its number; equal failures together. */
export function batchText(batch: Batch, parts: readonly BatchPart[]): string {
  const id = JSON.stringify(batch.id);
  const pending = batch.pending.length;
  const first =
    pending === 0
      ? `Batch ${id}: ${batchProgress(batch)}. All results have been returned.`
      : `Not finished: batch ${id}, ${batchProgress(batch)}. ${resultsWords(pending)} still to come: call complete_batch with batch_id ${id} and nothing else.`;
  const answers = parts.filter(({ state }) => state.error === null || state.text !== "");
  return [first, ...answers.map(answerText), ...failures(parts)].join("\n\n");
}

/** What a reader of the results must know besides. */
export function batchNotes(batch: Batch, parts: readonly BatchPart[]): string[] {
  const { outage } = batch;
  const gone = `The service is unavailable. The batch continues when it is back. ${outage === null ? "" : failureLine(outage)}`;
  const isCut = parts.filter(({ state }) => state.finishReason === "length");
  const cut = `Cut off at the token limit: ${numbers(isCut)}. Ask for these again with a larger max_tokens.`;
  const rests = parts.filter(({ excerpt }) => excerpt.isCut);
  return [
    ...(outage === null ? [] : [gone]),
    ...(isCut.length === 0 ? [] : [cut]),
    ...rests.map(({ index, state, excerpt }) => `[${index}]: ${restAdvice(state, excerpt)}`),
  ];
}

/** What the completions warn of, each thing once. */
export function batchWarnings(parts: readonly BatchPart[]): string[] {
  const warnings = new Map<string, BatchPart[]>();
  for (const part of parts) {
    for (const text of part.state.warnings) collect(warnings, text, part);
  }
  const lines = [...warnings].map(([text, those]) => `${numbers(those)}: ${text}`);
  const more = lines.length - MOST_WARNINGS;
  return more > 0 ? [...lines.slice(0, MOST_WARNINGS), `And ${more} other warnings.`] : lines;
}

function answerText({ index, state, excerpt }: BatchPart): string {
  const { status, error } = state;
  if (error === null) return `[${index}]\n${answerOf(state, excerpt)}`;
  return `[${index}] ${status}, incomplete answer:\n${excerpt.text}`;
}

function failures(parts: readonly BatchPart[]): string[] {
  const byText = new Map<string, BatchPart[]>();
  for (const part of parts) {
    const { error, status } = part.state;
    if (error !== null) collect(byText, `${status}, ${failureLine(error)}`, part);
  }
  const all = [...byText];
  const others = all.slice(MOST_FAILURES).flatMap(([, those]) => those);
  return [
    ...all.slice(0, MOST_FAILURES).map(([text, those]) => `${numbers(those)} ${text}`),
    ...(others.length === 0
      ? []
      : [`${numbers(others)} failed in other ways. The structured results say how.`]),
  ];
}

function collect(groups: Map<string, BatchPart[]>, text: string, part: BatchPart): void {
  const group = groups.get(text);
  if (group === undefined) groups.set(text, [part]);
  else group.push(part);
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

const resultsWords = (count: number): string =>
  count === 1 ? "1 result is" : `${count} results are`;
