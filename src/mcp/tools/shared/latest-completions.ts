import * as z from "zod";
import { COMPLETION_STATUSES } from "../../../foundry/index.js";
import type { CompletionState } from "../../../jobs/index.js";
import { headOf } from "./completion-result.js";

const MOST = 20;
const LONGEST_BEGINNING = 80;

/** A completion in a short list, so that one whose id never reached the caller is found again. */
export const latestCompletion = z.object({
  completion_id: z.string(),
  batch_id: z.string().nullable().describe("For complete_batch, which returns all of its results"),
  status: z.enum(COMPLETION_STATUSES),
  model: z.string().nullable(),
  age_s: z.int().describe("Seconds since the request"),
  total_chars: z.int(),
  beginning: z.string().describe("First words of the text"),
});
type Latest = z.output<typeof latestCompletion>;

/** @param states The newest first. */
export const latestOf = (states: readonly CompletionState[], now = Date.now()): Latest[] =>
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
  const batches = [...new Set(latest.flatMap(({ batch_id }) => batch_id ?? []))];
  const next = batches.map(
    (id) =>
      `Call complete_batch with batch_id ${JSON.stringify(id)} for the results of that batch.`,
  );
  return [...lines, "Call get_completion with completion_ids for their text.", ...next].join("\n");
}

function beginningOf(text: string): string {
  const line = text
    .slice(0, 10 * LONGEST_BEGINNING)
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim();
  const cut = line.length > LONGEST_BEGINNING || text.length > 10 * LONGEST_BEGINNING;
  return `${headOf(line, LONGEST_BEGINNING).toWellFormed()}${cut ? "…" : ""}`;
}
