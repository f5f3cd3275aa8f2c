import * as z from "zod";
import type { CompletionState, Completions } from "../../jobs/index.js";
import type { Kept } from "../../keeper/index.js";
import {
  counted,
  FoundryError,
  LONGEST_QUOTE,
  LONGEST_REASONING,
  truncate,
} from "../../lib/index.js";
import { firstWords } from "../resources/index.js";
import { defineTool, failureLine, type ToolAnswer, type ToolContext } from "../tool.js";
import {
  adviceOnSeveral,
  answerWith,
  deliveryOf,
  errorOf,
  goesOnLine,
  itemOf,
  LONGEST_TEXT,
  listedResult,
  listOf,
  type Part,
  partOf,
  refuse,
  replyWithin,
  replyWithinMs,
  reportEvent,
  reportState,
  resultOf,
  severalText,
  textOf,
} from "./shared/index.js";

const MOST = 50;
const ID = "a completion_id";
const IDS_ALLOWED = `a list of 1 to ${MOST} completion_ids`;
const FROM_ALLOWED = "a whole number of characters, 0 or more";

const result = z.object({
  completions: z.array(listedResult).nullable(),
  errors: z.array(z.record(z.string(), z.unknown())).nullable(),
  latest: z.array(z.record(z.string(), z.unknown())).nullable(),
});
type Answer = ToolAnswer<z.output<typeof result>>;
const NOTHING = { completions: null, errors: null, latest: null };

export const getCompletion = defineTool({
  name: "get_completion",
  title: "Get the rest of a completion",
  description:
    "Waits for completions and returns their text. Without completion_ids: lists the latest.",
  arguments: z
    .strictObject({
      completion_ids: listOf(z.string(ID).min(1, ID), MOST, IDS_ALLOWED).optional(),
      from: z.int(FROM_ALLOWED).min(0, FROM_ALLOWED).describe("Offset, with one id").optional(),
      reply_within: replyWithin,
    })
    .superRefine(({ completion_ids: ids = [], from }, context) => {
      // 0 is the default.
      if (from === undefined || from === 0 || new Set(ids).size === 1) return;
      refuse(
        context,
        `from requires exactly one completion_id, but ${ids.length === 0 ? "none was" : "several were"} given`,
        "Omit from, or give one completion_id.",
      );
    }),
  result,
  effect: "reads",
  quotesModel: true,

  async handle({ completion_ids, from = 0, reply_within }, context) {
    const { completions } = context.client;
    if (completion_ids === undefined) return listed(completions, context.kept);
    const ids = [...new Set(completion_ids)];
    await context.kept.find(ids);
    const withinMs = replyWithinMs(reply_within, context);
    const [only] = ids;
    if (only !== undefined && ids.length === 1) return one(only, from, withinMs, context);
    return several(ids, withinMs, context);
  },
});

async function listed(completions: Completions, kept: Kept): Promise<Answer> {
  const latest = latestOf(completions.list());
  const result = { ...NOTHING, latest };
  const held = latest.length === 0 ? ((await kept.holds()) ?? 0) : 0;
  const notes = held === 0 ? [] : [HELD_ELSEWHERE];
  return { next: latestNext(latest), text: latestText(latest), result, notes };
}

const HELD_ELSEWHERE =
  "This is the list of this server. The keeper holds more: call get_completion with its completion_ids, complete_batch with its batch_id, or repeat the request.";

async function one(
  id: string,
  from: number,
  withinMs: number,
  { client, signal, progress, kept }: ToolContext,
): Promise<Answer> {
  const { completions } = client;
  const before = completions.get(id);
  // Reject an invalid offset before waiting.
  if (!kept.isRegenerated(id) && !completions.isReplaced(id)) offsetIn(before, from);
  reportState(before, progress);
  const state = await completions.wait(id, {
    withinMs,
    signal,
    onEvent: (event) => reportEvent(event, progress),
  });
  // Of an answer that was generated again, a warning says so.
  const isRegenerated = kept.isRegenerated(id);
  const isReplaced = isRegenerated || completions.isReplaced(id);
  const excerpt = partOf(state, isReplaced ? 0 : offsetIn(state, from), LONGEST_TEXT);
  completions.noteReturned(id);
  kept.answeredRegenerated(id);
  const restarted = !isRegenerated && excerpt.from < from - 1 ? [WAS_THINKING] : [];
  await kept.answered(deliveryOf([{ state, excerpt }]));
  const result = { ...NOTHING, completions: [resultOf(state, excerpt)] };
  return answerWith(state, excerpt, result, restarted);
}

const WAS_THINKING =
  "The text returned earlier was the model's thinking. This is the answer from its beginning.";

/** The offset to read from. A text only becomes shorter when its beginning is recognised as thinking. */
function offsetIn({ id, text, reasoning }: CompletionState, from: number): number {
  if (from <= text.length) return from;
  if (reasoning !== null && from <= reasoning.length + text.length) return 0;
  throw new FoundryError(
    "INVALID_ARGUMENT",
    `from is ${from}, but the text of ${id} has ${counted(text.length, "character")}.`,
    { action: `Give from as a whole number from 0 to ${text.length}.` },
  );
}

async function several(
  ids: readonly string[],
  withinMs: number,
  { client, signal, progress, kept }: ToolContext,
): Promise<Answer> {
  const { completions } = client;
  const found: string[] = [];
  const missing: { readonly id: string; readonly error: FoundryError }[] = [];
  for (const id of ids) {
    try {
      completions.get(id);
      found.push(id);
    } catch (thrown) {
      if (!(thrown instanceof FoundryError)) throw thrown;
      missing.push({ id, error: thrown });
    }
  }
  const [first, ...others] = missing.map(({ error }) => error);
  if (first !== undefined && missing.length === ids.length) {
    return { failure: first, text: "", notes: others.map(failureLine), result: NOTHING };
  }
  progress.waiting(`Waiting for ${counted(found.length, "completion")}`);
  const states = await Promise.all(found.map((id) => completions.wait(id, { withinMs, signal })));
  // Each is returned from its beginning.
  for (const id of found) {
    completions.noteReturned(id);
    kept.answeredRegenerated(id);
  }
  const parts = shared(states);
  await kept.answered(deliveryOf(parts));
  const errors = missing.map(({ id, error }) => ({
    completion_id: truncate(id, LONGEST_QUOTE),
    ...errorOf(error),
  }));
  return {
    ...adviceOnSeveral(parts, goesOnLine(parts), idsOf),
    text: severalText(
      parts,
      missing.map(({ error }) => error),
    ),
    result: {
      ...NOTHING,
      // All of the thinking is bounded as all of the text is.
      completions: parts.map(({ state, excerpt }) =>
        itemOf(
          state,
          excerpt,
          Math.min(LONGEST_REASONING, Math.floor(LONGEST_TEXT / parts.length)),
        ),
      ),
      errors: errors.length === 0 ? null : errors,
    },
  };
}

const idsOf = (parts: readonly Part[]): string => parts.map(({ state }) => state.id).join(", ");

/** Splits the text budget of one result: what one completion does not use is available to the next ones. */
function shared(states: readonly CompletionState[]) {
  let left = LONGEST_TEXT;
  return states.map((state, index) => {
    const excerpt = partOf(state, 0, Math.floor(left / (states.length - index)));
    left = Math.max(0, left - textOf(state, excerpt).length);
    return { state, excerpt };
  });
}

const MOST_LISTED = 20;
const LONGEST_BEGINNING = 80;

/** A completion in a short list, so that one whose id never reached the caller is found again. */
type Latest = ReturnType<typeof latestOf>[number];

/** @param states The newest first. */
const latestOf = (states: readonly CompletionState[]) =>
  states.slice(0, MOST_LISTED).map(({ id, batchId, status, model, createdAt, text }) => ({
    completion_id: id,
    batch_id: batchId,
    status,
    model,
    // The system clock may have been changed.
    age_s: Math.max(0, Math.round((Date.now() - createdAt) / 1000)),
    total_chars: text.length,
    beginning: firstWords(text, LONGEST_BEGINNING),
  }));

function latestText(latest: readonly Latest[]): string {
  if (latest.length === 0) return "There are no completions from the last 30 minutes.";
  const lines = latest.map(({ batch_id, beginning, ...one }) => {
    const words = beginning === "" ? "" : `: ${beginning}`;
    const batch = batch_id === null ? "" : `, batch ${JSON.stringify(batch_id)}`;
    return `${one.completion_id}: ${one.status}, ${one.model ?? "no model yet"}${batch}, ${one.age_s} s ago, ${counted(one.total_chars, "character")}${words}`;
  });
  return lines.join("\n");
}

/** What to call for the texts of these. */
function latestNext(latest: readonly Latest[]): string | null {
  if (latest.length === 0) return null;
  const batches = [...new Set(latest.flatMap(({ batch_id }) => batch_id ?? []))];
  const ofBatches = batches.map(
    (id) =>
      `Call complete_batch with batch_id ${JSON.stringify(id)} for the results of that batch.`,
  );
  return ["Call get_completion with completion_ids for their text.", ...ofBatches].join(" ");
}
