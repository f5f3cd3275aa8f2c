import type { CompletionState } from "../../../jobs/index.js";
import { headOf } from "./completion-result.js";

const MOST = 20;
const LONGEST_BEGINNING = 80;

/** A completion in a short list, so that one whose id never reached the caller is found again. */
type Latest = ReturnType<typeof latestOf>[number];

/** @param states The newest first. */
export const latestOf = (states: readonly CompletionState[], now = Date.now()) =>
  states.slice(0, MOST).map(({ id, batchId, status, model, createdAt, text }) => ({
    completion_id: id,
    batch_id: batchId,
    status,
    model,
    // The system clock may have been changed.
    age_s: Math.max(0, Math.round((now - createdAt) / 1000)),
    total_chars: text.length,
    beginning: beginningOf(text),
  }));

export function latestText(latest: readonly Latest[]): string {
  if (latest.length === 0) return "There are no completions from the last 30 minutes.";
  const lines = latest.map(({ batch_id, beginning, ...one }) => {
    const words = beginning === "" ? "" : `: ${beginning}`;
    const batch = batch_id === null ? "" : `, batch ${JSON.stringify(batch_id)}`;
    return `${one.completion_id}: ${one.status}, ${one.model ?? "no model yet"}${batch}, ${one.age_s} s ago, ${one.total_chars} characters${words}`;
  });
  return lines.join("\n");
}

/** What to call for the texts of these. */
export function latestNext(latest: readonly Latest[]): string | null {
  if (latest.length === 0) return null;
  const batches = [...new Set(latest.flatMap(({ batch_id }) => batch_id ?? []))];
  const ofBatches = batches.map(
    (id) =>
      `Call complete_batch with batch_id ${JSON.stringify(id)} for the results of that batch.`,
  );
  return ["Call get_completion with completion_ids for their text.", ...ofBatches].join(" ");
}

function beginningOf(text: string): string {
  const line = text
    .slice(0, 10 * LONGEST_BEGINNING)
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim();
  const cut = line.length > LONGEST_BEGINNING || text.length > 10 * LONGEST_BEGINNING;
  return `${headOf(line, LONGEST_BEGINNING).toWellFormed()}${cut ? "…" : ""}`;
}
