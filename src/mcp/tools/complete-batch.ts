import * as z from "zod";
import { COMPLETION_STATUSES } from "../../foundry/index.js";
import { BATCH_ID, BATCH_LIMIT, type Batch, lengthOf } from "../../jobs/index.js";
import type { Kept } from "../../keeper/index.js";
import { FoundryError, throwIfAborted } from "../../lib/index.js";
import { cancellationOf, replyWithin, replyWithinMs } from "../call-policy.js";
import { defineTool, type ToolAnswer, type ToolContext } from "../tool.js";
import {
  type BatchPart,
  batchInputOf,
  batchNotes,
  batchProgress,
  batchText,
  batchWarnings,
  FINISH_REASONS,
  LONGEST_TEXT,
  nextFrom,
  sharedSettings,
  wholeOf,
} from "./shared/index.js";

const SIZE = `a list of 1 to ${BATCH_LIMIT}`;
const NAME = "1 to 64 letters, digits, dots, underscores or hyphens";

/** Items are validated one by one, so that an invalid item does not fail the others; the listed schema still names the type. */
const items = (type: "string" | "object") =>
  z.array(z.unknown().meta({ type }), SIZE).min(1, SIZE).max(BATCH_LIMIT, SIZE);

const result = z.object({
  batch_id: z.string(),
  results: z.array(
    z.object({
      index: z.int().describe("Position in the input, from 0"),
      completion_id: z.string(),
      status: z.enum(COMPLETION_STATUSES),
      text: z.string(),
      next_from: z
        .int()
        .nullable()
        .describe("Offset to continue from with get_completion; null if complete"),
      finish_reason: z.enum(FINISH_REASONS).nullable(),
      model: z.string().nullable(),
      usage: z.object({
        input_tokens: z.int().nullable(),
        output_tokens: z.int().nullable(),
        estimated: z.boolean(),
      }),
      error: z
        .object({
          code: z.string(),
          message: z.string(),
          action: z.string(),
          retryable: z.boolean(),
        })
        .optional(),
    }),
  ),
  counts: z.record(z.enum(COMPLETION_STATUSES), z.int()),
  pending: z.array(z.string()).describe("completion_ids of the results not returned yet"),
  device_busy: z.boolean().nullable().optional(),
  warnings: z.array(z.string()),
});

const argumentsSchema = z
  .strictObject({
    prompts: items("string").describe("Prompts that share the settings below").optional(),
    requests: items("object")
      .describe(
        "Instead of prompts: objects with prompt or messages, and settings that override the shared ones",
      )
      .optional(),
    ...sharedSettings,
    batch_id: z
      .string(NAME)
      .regex(BATCH_ID, NAME)
      .describe("Id for a new batch, or the id of a batch to continue")
      .optional(),
    cancel: z.boolean("true or false").describe("Cancel the batch with this batch_id").optional(),
    reply_within: replyWithin,
  })
  .superRefine((given, context) => {
    const problem = problemOf(given);
    if (problem === null) return;
    const [message, fix] = problem;
    context.addIssue({ code: "custom", message, input: given, params: { fix } });
  });

type Given = z.output<typeof argumentsSchema>;

export const completeBatch = defineTool({
  name: "complete_batch",
  title: "Complete many prompts with a local model",
  description:
    "Like complete, for up to 500 prompts or requests; one failure does not affect the others. Returns a batch_id and the results finished within reply_within, in input order. Call again with only batch_id until pending is empty. Each result is returned once.",
  arguments: argumentsSchema,
  result,
  effect: "generates",

  async handle({ reply_within, cancel, ...given }, context) {
    const { client, signal, policy, kept } = context;
    if (given.batch_id !== undefined) await kept.findBatch(given.batch_id);
    if (cancel === true && given.batch_id !== undefined) {
      const batch = client.batches.find(given.batch_id);
      const deviceBusy = await batch.cancel();
      return handedOver(answered(batch, besideId(given), { deviceBusy }), batch, kept);
    }
    const { batch, warnings } = await batchOf(given, context);
    await waitFor(batch, replyWithinMs(reply_within, policy), context);
    // A result is returned once, and the caller of an aborted call would not receive it.
    throwIfAborted(signal);
    return handedOver(answered(batch, warnings), batch, kept);
  },
});

function problemOf(
  given: Pick<Given, "prompts" | "requests" | "batch_id" | "cancel">,
): readonly [string, string] | null {
  const { prompts, requests, batch_id, cancel } = given;
  if (prompts !== undefined && requests !== undefined) {
    return [
      "Both prompts and requests were given, but a batch takes only one of them",
      "Give either prompts, which share their settings, or requests, which have their own.",
    ];
  }
  if (cancel === true && batch_id === undefined) {
    return ["cancel requires batch_id", "Give the batch_id of the batch to cancel."];
  }
  if (prompts === undefined && requests === undefined && batch_id === undefined) {
    return [
      "One of prompts, requests and batch_id is required",
      "Give prompts or requests to start a batch, or batch_id to continue one.",
    ];
  }
  return null;
}

/** A new batch, the batch to continue, or a detached batch after a host's timeout. */
async function batchOf(
  { prompts, requests, batch_id: id, ...settings }: Omit<Given, "reply_within" | "cancel">,
  { client: { batches }, kept }: ToolContext,
): Promise<{ readonly batch: Batch; readonly warnings: readonly string[] }> {
  if (prompts === undefined && requests === undefined && id !== undefined) {
    return { batch: batches.find(id), warnings: besideId(settings) };
  }
  const { entries, key, warnings } = await batchInputOf({ prompts, requests, settings });
  if (id === undefined) await kept.findSameBatch(key);
  const known = id === undefined ? batches.takeOver(key) : batches.get(id);
  if (known === null) return { batch: batches.start(entries, { id, key }), warnings };
  if (known.key === key) return { batch: known, warnings };
  throw new FoundryError(
    "INVALID_ARGUMENT",
    `Batch ${JSON.stringify(known.id)} already exists with other requests or settings.`,
    { action: "Give only batch_id to continue it, or another batch_id to start a new batch." },
  );
}

/** What a call that only continues or cancels a batch cannot change. */
function besideId({ batch_id: _id, ...others }: Readonly<Record<string, unknown>>): string[] {
  const names = Object.keys(others).filter((name) => others[name] !== undefined);
  if (names.length === 0) return [];
  return [
    `The batch already exists, so these arguments were ignored: ${names.join(", ")}. Give them with prompts or requests to start a new batch.`,
  ];
}

async function waitFor(
  batch: Batch,
  withinMs: number,
  { signal, progress, policy }: ToolContext,
): Promise<void> {
  const report = (): void => progress.items(batch.done, batch.size, () => batchProgress(batch));
  const unsubscribe = batch.onChange(report);
  report();
  batch.attach();
  try {
    const isEnough = (): boolean => batch.readyLength >= LONGEST_TEXT;
    await batch.wait({ withinMs, signal, isEnough });
  } catch (thrown) {
    if (signal.aborted) await leave(batch, cancellationOf(signal, policy.onCancel));
    throw thrown;
  } finally {
    unsubscribe();
  }
}

async function leave(batch: Batch, how: "stop" | "detach"): Promise<void> {
  if (how === "detach") batch.detach();
  // Do not cancel while another call waits for this batch.
  else if (!batch.isWatched) await batch.cancel();
}

/** The same answer, after what it promises has been handed to the keeper. */
async function handedOver(
  answer: ToolAnswer<z.output<typeof result>>,
  batch: Batch,
  kept: Kept,
): Promise<ToolAnswer<z.output<typeof result>>> {
  await kept.answeredBatch(batch);
  const cut = answer.result.results.filter(({ next_from: next }) => next !== null);
  const promised = cut.map(({ completion_id: id }) => id);
  if (promised.length > 0) await kept.answered({ promised, delivered: [] });
  return answer;
}

function answered(
  batch: Batch,
  ignored: readonly string[],
  cancelled?: { readonly deviceBusy: boolean | null },
): ToolAnswer<z.output<typeof result>> {
  const parts = fittingParts(batch);
  for (const { index } of parts) batch.take(index);
  const busy =
    "The device may stay busy for a while: the service did not confirm the cancellation.";
  const warnings = [...ignored, ...batchWarnings(parts)];
  return {
    text: batchText(batch, parts),
    notes: [
      ...(cancelled === undefined || cancelled.deviceBusy === false ? [] : [busy]),
      ...batchNotes(batch, parts),
      ...warnings,
    ],
    result: {
      batch_id: batch.id,
      results: parts.map(itemOf),
      counts: batch.counts(),
      pending: batch.pending,
      ...(cancelled === undefined ? {} : { device_busy: cancelled.deviceBusy }),
      warnings,
    },
  };
}

/** At least one result, and as many as fit in one answer. The next call returns the others. */
function fittingParts(batch: Batch): BatchPart[] {
  const parts: BatchPart[] = [];
  let length = 0;
  for (const ready of batch.ready()) {
    length += lengthOf(ready.state);
    if (length > LONGEST_TEXT && parts.length > 0) break;
    parts.push({ ...ready, excerpt: wholeOf(ready.state) });
  }
  return parts;
}

function itemOf({ index, state, excerpt }: BatchPart): z.output<typeof result>["results"][number] {
  const { usage, error } = state;
  return {
    index,
    completion_id: state.id,
    status: state.status,
    text: excerpt.text,
    next_from: nextFrom(state, excerpt),
    finish_reason: state.finishReason,
    model: state.model,
    usage: {
      input_tokens: usage.inputTokens,
      output_tokens: usage.outputTokens,
      estimated: usage.estimated,
    },
    ...(error === null ? {} : { error: errorOf(error) }),
  };
}

const errorOf = ({ code, message, action, retryable }: FoundryError) => ({
  code,
  message,
  action,
  retryable,
});
