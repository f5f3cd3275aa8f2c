import * as z from "zod";
import { answerLong } from "../../documents/index.js";
import { BATCH_ID, BATCH_LIMIT, type Batch, lengthOf } from "../../jobs/index.js";
import type { Kept } from "../../keeper/index.js";
import { FoundryError, throwIfAborted, waitFor } from "../../lib/index.js";
import { defineTool, type ToolAnswer, type ToolContext } from "../tool.js";
import {
  type BatchPart,
  batchAdvice,
  batchInputOf,
  batchProgress,
  batchText,
  itemOf,
  itemResult,
  LONGEST_TEXT,
  listOf,
  MOST_PENDING,
  refuse,
  replyWithin,
  replyWithinMs,
  sharedSettings,
  wholeOf,
} from "./shared/index.js";

const NAME = "1 to 64 letters, digits, dots, underscores or hyphens";

/** Items are validated one by one, so that an invalid item does not fail the others; the listed schema names the type. */
const items = (listed: Readonly<Record<string, unknown>>) =>
  listOf(z.unknown().meta(listed), BATCH_LIMIT, `a list of 1 to ${BATCH_LIMIT}`);

/** OpenAI's strict mode requires the members of an object. */
const LISTED_REQUEST = {
  type: "object",
  properties: {
    prompt: { type: "string" },
    system: { type: "string" },
    model: { type: "string" },
    files: { type: "array", items: { type: "string" } },
  },
  required: ["prompt"],
};

const result = z.object({
  results: z.array(itemResult.extend({ index: z.int() })),
  batch_id: z.string().nullable(),
  counts: z.record(z.string(), z.int()).nullable(),
  pending: z.array(z.string()),
  device_busy: z.boolean().nullable(),
});
type Answer = ToolAnswer<z.output<typeof result>>;

const argumentsSchema = z
  .strictObject({
    prompts: items({ type: "string" }).describe("Share the settings").optional(),
    requests: items(LISTED_REQUEST).describe("Instead of prompts, with own settings").optional(),
    ...sharedSettings,
    batch_id: z
      .string(NAME)
      .regex(BATCH_ID, NAME)
      .describe("Of the batch to continue, or for a new one")
      .optional(),
    cancel: z.boolean("true or false").describe("Cancel batch_id").optional(),
    reply_within: replyWithin,
  })
  .superRefine(({ prompts, requests, batch_id, cancel }, context) => {
    if (prompts !== undefined && requests !== undefined) {
      refuse(
        context,
        "Both prompts and requests were given, but a batch takes only one of them",
        "Give either prompts, which share their settings, or requests, which have their own.",
      );
    } else if (cancel === true && batch_id === undefined) {
      refuse(context, "cancel requires batch_id", "Give the batch_id of the batch to cancel.");
    }
  });

type Given = z.output<typeof argumentsSchema>;

export const completeBatch = defineTool({
  name: "complete_batch",
  title: "Complete many prompts",
  description:
    "Like complete, for up to 500 prompts or requests; a failed one stops no other. Returns a batch_id and new results.",
  arguments: argumentsSchema,
  result,
  effect: "generates",
  quotesModel: true,
  outlivesCall: true,

  async handle({ reply_within, cancel, ...given }, context) {
    const { client, signal, kept } = context;
    if (given.batch_id !== undefined) await kept.findBatch(given.batch_id);
    if (cancel === true && given.batch_id !== undefined) {
      const batch = client.batches.find(given.batch_id);
      const deviceBusy = await batch.cancel();
      return answered(batch, context, besideId(given), deviceBusy);
    }
    if ([given.prompts, given.requests, given.batch_id].every((value) => value === undefined)) {
      return NOTHING;
    }
    const { batch, warnings, isNew } = await batchOf(given, context);
    // A result is returned to one call only, so no other call may have the same task.
    context.identify(isNew ? batch.id : context.trace.id);
    await waitForResults(batch, replyWithinMs(reply_within, context), context);
    // The caller of an aborted call would not receive the results.
    throwIfAborted(signal);
    return answered(batch, context, warnings);
  },
});

/** A new batch, the batch to continue, or a detached batch after a host's timeout. */
async function batchOf(
  { prompts, requests, batch_id: id, ...settings }: Omit<Given, "reply_within" | "cancel">,
  { client, kept, trace, files: folders, signal }: ToolContext,
): Promise<{
  readonly batch: Batch;
  readonly warnings: readonly string[];
  readonly isNew: boolean;
}> {
  const { batches } = client;
  if (prompts === undefined && requests === undefined && id !== undefined) {
    return { batch: batches.find(id), warnings: besideId(settings), isNew: false };
  }
  const { entries, key, warnings } = await batchInputOf({
    prompts,
    requests,
    settings,
    aboutFiles: (request, texts) => answerLong(client, { request, texts }, trace),
    folders,
    signal,
  });
  if (id === undefined) await kept.findSameBatch(key);
  const known = id === undefined ? batches.takeOver(key) : batches.get(id);
  if (known === null) {
    return { batch: batches.start(entries, { id, key, trace }), warnings, isNew: true };
  }
  if (known.key === key) return { batch: known, warnings, isNew: false };
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

async function waitForResults(batch: Batch, withinMs: number, context: ToolContext): Promise<void> {
  const { signal, progress } = context;
  const report = (): void => progress.items(batch.done, batch.size, () => batchProgress(batch));
  const unsubscribe = batch.onChange(report);
  report();
  batch.attach();
  try {
    const isEnough = (): boolean => batch.readyLength >= LONGEST_TEXT;
    await batch.wait({ withinMs, signal, isEnough });
  } catch (thrown) {
    if (signal.aborted) await leave(batch, context);
    throw thrown;
  } finally {
    unsubscribe();
  }
}

async function leave(batch: Batch, { cancellation, afterGrace }: ToolContext): Promise<void> {
  const meant = cancellation();
  if (meant === "stop") return abandon(batch);
  const wasAskedFor = batch.detach();
  if (meant !== "unclear") return;
  afterGrace(() => {
    if (!wasAskedFor()) void abandon(batch);
  });
}

/** Cancels the batch unless another call waits for it. */
async function abandon(batch: Batch): Promise<void> {
  if (!batch.isWatched) await batch.cancel();
}

/**
 * The answer with the results that fit, after what it promises has been handed to the keeper.
 *
 * @param deviceBusy Of a batch that the call has cancelled.
 */
async function answered(
  batch: Batch,
  context: ToolContext,
  warnings: readonly string[],
  deviceBusy?: boolean | null,
): Promise<Answer> {
  const { client, kept, signal, progress } = context;
  const parts = fittingParts(batch);
  for (const { index } of parts) batch.take(index);
  const answer = answerOf(batch, parts, warnings, deviceBusy);
  try {
    progress.finish();
    // A call that ends before its answer is sent has returned nothing.
    await waitFor(Promise.all([handedOver(answer, batch, kept), progress.pauseBeforeResult()]), {
      signal,
    });
    for (const { index, state } of parts) {
      batch.returned(index);
      client.completions.noteReturned(state.id);
      kept.answeredRegenerated(state.id);
    }
    return answer;
  } catch (thrown) {
    for (const { index } of parts) batch.giveBack(index);
    // For the keeper, they may have been returned already.
    void kept.answeredBatch(batch);
    if (signal.aborted) await leave(batch, context);
    throw thrown;
  }
}

async function handedOver({ result }: Answer, batch: Batch, kept: Kept): Promise<void> {
  await kept.answeredBatch(batch);
  const cut = result.results.filter(({ next_from: next }) => next !== null);
  const promised = cut.map(({ completion_id: id }) => id);
  if (promised.length > 0) await kept.answered({ promised, delivered: [] });
}

function answerOf(
  batch: Batch,
  parts: readonly BatchPart[],
  warnings: readonly string[],
  deviceBusy?: boolean | null,
): Answer {
  const { next, notes } = batchAdvice(batch, parts);
  const isBusy = deviceBusy !== undefined && deviceBusy !== false;
  return {
    next,
    notes: [...(isBusy ? [STAYS_BUSY] : []), ...notes, ...warnings],
    text: batchText(batch, parts),
    result: {
      results: parts.map(({ index, state, excerpt }) => ({ index, ...itemOf(state, excerpt) })),
      batch_id: batch.id,
      counts: Object.fromEntries(Object.entries(batch.counts()).filter(([, count]) => count > 0)),
      pending: batch.pending.slice(0, MOST_PENDING),
      device_busy: deviceBusy ?? null,
    },
  };
}

const STAYS_BUSY =
  "The device may stay busy for a while: the service did not confirm the cancellation.";

/** Schema-driven callers give no optional argument. */
const NOTHING: Answer = {
  next: "Give prompts or requests to start a batch, or batch_id to continue one.",
  text: "",
  result: { results: [], batch_id: null, counts: null, pending: [], device_busy: null },
};

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
