import type * as z from "zod";
import type { CompletionRequest } from "../foundry/index.js";
import type { CompletionState, LoadState } from "../jobs/index.js";
import { FoundryError, jsonFrom } from "../lib/index.js";
import {
  type changeSchema,
  errorSchema,
  type loadReplySchema,
  type Patch,
  type WireState,
} from "./messages.js";

export const toWire = ({ error, data: _inText, ...rest }: CompletionState): WireState => ({
  ...rest,
  error: error === null ? null : errorSchema.parse(error.toJSON()),
});

export function fromWire({ error, ...rest }: WireState): CompletionState {
  return {
    ...rest,
    ...(rest.method === undefined ? {} : { data: jsonFrom(rest.text) }),
    error: error === null ? null : errorFrom(error),
  };
}

function errorFrom(given: z.output<typeof errorSchema>): FoundryError {
  const { code, message, action, retryable, status, retryAfterMs, requestId } = given;
  const error = new FoundryError(code, message, {
    action,
    retryable,
    status,
    retryAfterMs,
  });
  error.requestId = requestId;
  return error;
}

type Texts = Pick<WireState, "text" | "reasoning">;

/** The change from the texts that the other side has. */
export function patchOf(state: WireState, sent: Texts): Patch {
  const { text, reasoning } = state;
  return {
    ...state,
    text: changeOf(sent.text, text),
    reasoning: reasoning === null ? null : changeOf(sent.reasoning ?? "", reasoning),
  };
}

/** The state after a change. */
export function patched({ isRegenerated: _other, ...patch }: Patch, before: Texts): WireState {
  const { text, reasoning } = patch;
  return {
    ...patch,
    text: changed(before.text, text),
    reasoning: reasoning === null ? null : changed(before.reasoning ?? "", reasoning),
  };
}

function changeOf(before: string, now: string): z.output<typeof changeSchema> {
  // Texts grow at their end, except where the beginning turns out to be thinking.
  return now.startsWith(before)
    ? { stay: before.length, add: now.slice(before.length) }
    : { stay: 0, add: now };
}

const changed = (before: string, { stay, add }: z.output<typeof changeSchema>): string =>
  before.slice(0, stay) + add;

/** What a reader of the answer must know if another answer took its place. */
export const REGENERATED =
  "The process that generated this answer ended, and the model generated the answer again. It differs from the part that was returned before: read it from its beginning.";

/**
 * The state of a completion that is generated again after its first process ended.
 *
 * @param earlier Its last state before that.
 * @param again The state of the second generation.
 * @returns the texts of the earlier one as long as the second one repeats it, so that offsets stay valid.
 */
export function continued(
  earlier: WireState,
  again: WireState,
): { readonly state: WireState; readonly isRegenerated: boolean } {
  const { id, batchId, createdAt } = earlier;
  const warnings = [...new Set([...earlier.warnings, ...again.warnings])];
  const state = { ...again, id, batchId, createdAt, warnings };
  if (again.text.startsWith(earlier.text)) return { state, isRegenerated: false };
  const isWhole = again.status === "completed";
  if (!isWhole && earlier.text.startsWith(again.text)) {
    const { text, reasoning } = earlier;
    return { state: { ...state, text, reasoning }, isRegenerated: false };
  }
  return {
    state: { ...state, warnings: [...state.warnings, REGENERATED] },
    isRegenerated: true,
  };
}

export function loadStateFrom({
  error,
  status,
  ...facts
}: NonNullable<z.output<typeof loadReplySchema>>): LoadState {
  if (error !== null) return { ...facts, status: "failed", error: errorFrom(error) };
  return { ...facts, status: status === "failed" ? "loading" : status, error: null };
}

/** Characters that an entry takes. */
export const sizeOf = ({ text, reasoning }: WireState, request: CompletionRequest | null): number =>
  text.length + (reasoning?.length ?? 0) + (request === null ? 0 : lengthOf(request));

/** The keeper asks twice a second, and messages may have megabytes. */
const lengths = new WeakMap<CompletionRequest, number>();

function lengthOf(request: CompletionRequest): number {
  const known = lengths.get(request);
  if (known !== undefined) return known;
  const { prompt = "", system = "", messages = [] } = request;
  const inMessages = messages.reduce((sum, message) => sum + JSON.stringify(message).length, 0);
  const length = prompt.length + system.length + inMessages;
  lengths.set(request, length);
  return length;
}

export const interrupted = (message: string, action = "Ask again."): FoundryError =>
  new FoundryError("STREAM_INTERRUPTED", message, { action, retryable: true });
