import * as z from "zod";
import {
  ANSWER_METHODS,
  COMPLETION_STATUSES,
  type CompletionRequest,
  completionFields,
  type FinishReason,
  loadWishFields,
} from "../foundry/index.js";
import type { CompletionState, LoadState } from "../jobs/index.js";
import { ERROR_CODES, type ErrorCode, MOST_ELEMENTS, MOST_IDS_SOUGHT } from "../lib/index.js";

const FINISH_REASONS = [
  "stop",
  "length",
  "tool_calls",
  "content_filter",
] as const satisfies readonly FinishReason[];

const isErrorCode = (value: unknown): boolean =>
  typeof value === "string" && Object.hasOwn(ERROR_CODES, value);

export const errorSchema = z.object({
  code: z.custom<ErrorCode>(isErrorCode),
  message: z.string(),
  action: z.string(),
  retryable: z.boolean(),
  status: z.number().nullable(),
  retryAfterMs: z.number().nullable(),
  requestId: z.string().nullable(),
});

const id = z.string().min(1).max(100);
const count = z.number().nullable();

const factFields = {
  id,
  status: z.enum(COMPLETION_STATUSES),
  finishReason: z.enum(FINISH_REASONS).nullable(),
  model: z.string().nullable(),
  usage: z.object({ inputTokens: count, outputTokens: count, estimated: z.boolean() }),
  timing: z.object({
    queuedMs: count,
    loadMs: count,
    firstTokenMs: count,
    totalMs: z.number(),
    tokensPerSecond: count,
  }),
  attempts: count,
  cached: z.boolean(),
  cacheAgeMs: z.number().optional(),
  warnings: z.array(z.string()).readonly(),
  toolCalls: z
    .array(
      z.object({
        id: z.string(),
        name: z.string(),
        arguments: z.record(z.string(), z.unknown()),
        error: z.string().optional(),
      }),
    )
    .readonly()
    .optional(),
  details: z
    .object({ members: z.record(z.string(), z.unknown()), notes: z.array(z.string()).readonly() })
    .optional(),
  isDraft: z.boolean().optional(),
  isLimitedByService: z.boolean().optional(),
  /** Of a value by a schema, which is not sent: the text is its JSON. */
  method: z.enum(ANSWER_METHODS).optional(),
  error: errorSchema.nullable(),
  place: count,
  etaMs: count,
  news: z.string().nullable(),
  batchId: id.nullable(),
  createdAt: z.number(),
  endedAt: count,
};

/** A {@link CompletionState} as JSON. */
export const stateSchema = z.object({
  ...factFields,
  text: z.string(),
  reasoning: z.string().nullable(),
});
export type WireState = z.output<typeof stateSchema>;

/** How a text changed: so many characters of the text before stay, and these follow. */
export const changeSchema = z.object({ stay: z.int().min(0), add: z.string() });

export const patchSchema = z.object({
  ...factFields,
  text: changeSchema,
  reasoning: changeSchema.nullable(),
  /** Whether another answer took the place of the one that was shown before. */
  isRegenerated: z.boolean().optional(),
});
export type Patch = z.output<typeof patchSchema>;

const text = z.string().max(1000);
const key = text.nullable();

/** The settings of a server as variables, with which the keeper makes the same client. */
const settingsSchema = z.record(z.string().max(100), z.string());
export type SettingsSource = z.output<typeof settingsSchema>;

const requestSchema: z.ZodType<CompletionRequest> = z.object(completionFields).partial();

const heldCompletionSchema = z.object({
  state: stateSchema,
  key,
  request: requestSchema.nullable(),
});
export type HeldCompletion = z.output<typeof heldCompletionSchema>;

const heldBatchSchema = z.object({
  id,
  key: text,
  items: z
    .array(z.object({ id, status: z.enum(COMPLETION_STATUSES), isTaken: z.boolean() }))
    .max(MOST_ELEMENTS),
});
export type HeldBatch = z.output<typeof heldBatchSchema>;

const loadSchema = z.object({ model: z.string(), wish: z.object(loadWishFields) });
export type HeldLoad = z.output<typeof loadSchema>;

/** What a server sends to the keeper. Those with a number get a reply. */
export const requestMessageSchema = z.discriminatedUnion("do", [
  z.object({
    do: z.literal("keep"),
    n: z.int(),
    settings: settingsSchema,
    /** How long an ended completion is kept, in milliseconds. */
    keptMs: z.number(),
    completions: z.array(heldCompletionSchema),
    batches: z.array(heldBatchSchema),
    loads: z.array(loadSchema),
  }),
  z.object({
    do: z.literal("find"),
    n: z.int(),
    ids: z.array(id).max(MOST_IDS_SOUGHT),
    batch: id.nullable(),
    /** An identical completion or batch whose process has ended, with the same settings. */
    same: z
      .object({ kind: z.enum(["completion", "batch"]), key: text, settings: settingsSchema })
      .nullable(),
  }),
  z.object({
    do: z.literal("load"),
    n: z.int(),
    settings: settingsSchema,
    load: loadSchema,
    withinMs: z.number(),
  }),
  z.object({ do: z.literal("status"), n: z.int() }),
  z.object({ do: z.literal("patch"), patches: z.array(patchSchema) }),
  z.object({
    do: z.literal("release"),
    completions: z.array(id),
    batches: z.array(id),
    loads: z.array(loadSchema),
  }),
  /** The caller knows now that another answer took the place of the earlier one. */
  z.object({ do: z.literal("seen"), completions: z.array(id) }),
  z.object({ do: z.literal("cancel"), completion: id }),
]);
export type RequestMessage = z.output<typeof requestMessageSchema>;
export type Search = Pick<Extract<RequestMessage, { do: "find" }>, "ids" | "batch" | "same">;

export const foundSchema = z.object({
  completions: z.array(z.object({ state: stateSchema, key, isRegenerated: z.boolean() })),
  batches: z.array(heldBatchSchema),
});
export type Found = z.output<typeof foundSchema>;
export type FoundCompletion = Found["completions"][number];

export const keptSchema = z.object({ isKept: z.boolean() });
export const statusSchema = z.object({ holds: z.int() });

/** What the keeper sends to a server. */
export const answerMessageSchema = z.union([
  z.object({ reply: z.int(), value: z.unknown() }),
  z.object({ patches: z.array(patchSchema) }),
  /** To the process that runs it. */
  z.object({ stop: id }),
]);

/** A {@link LoadState} as JSON; `null`: the keeper does not run the load. */
export const loadReplySchema = z
  .object({
    status: z.enum(["loading", "downloading", "loaded", "already_loaded", "failed"]),
    model: z.string(),
    percent: z.number().nullable(),
    elapsedMs: z.number(),
    news: z.string().nullable(),
    warnings: z.array(z.string()),
    error: errorSchema.nullable(),
  })
  .nullable();
