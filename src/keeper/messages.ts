import * as z from "zod";
import {
  COMPLETION_STATUSES,
  type CompletionRequest,
  completionFields,
  loadWishFields,
} from "../foundry/index.js";
import { MOST_ELEMENTS } from "../lib/index.js";
import { patchSchema, stateSchema } from "./states.js";

const text = z.string().max(1000);
const id = text.min(1);
const key = text.nullable();

/** The settings of a server as variables, with which the keeper makes the same client. */
export const settingsSchema = z.record(z.string().max(100), z.string());
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

const wishSchema = z.object(loadWishFields);
const loadSchema = z.object({ model: z.string(), wish: wishSchema });
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
    ids: z.array(id).max(100),
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
