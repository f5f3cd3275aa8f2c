import * as z from "zod";
import { type CompletionState, hasEnded } from "../../jobs/index.js";
import { counted } from "../../lib/index.js";
import { defineTool } from "../tool.js";
import { answeredWhole, answerWith, completionResult, resultOf, textOf } from "./shared/index.js";

export const cancelCompletion = defineTool({
  name: "cancel_completion",
  title: "Cancel a completion",
  description: "Cancels a completion. Returns its text and whether the device is free.",
  arguments: z.strictObject({
    completion_id: z.string("a completion_id").min(1, "a completion_id"),
  }),
  result: completionResult.extend({ device_busy: z.boolean().nullable() }),
  effect: "changes",
  quotesModel: true,

  async handle({ completion_id: id }, { client, kept }) {
    await kept.find([id]);
    const hadEnded = hasEnded(client.completions.get(id));
    const { state, deviceBusy } = await client.completions.cancel(id);
    const excerpt = await answeredWhole(state, { client, kept });
    const words = hadEnded ? endedWords(state) : cancelledWords(state, deviceBusy);
    const label = hadEnded ? "Its text:" : "The text so far:";
    const said = textOf(state, excerpt);
    const text = said === "" ? words : `${words} ${label}\n\n${said}`;
    const result = { ...resultOf(state, excerpt), device_busy: deviceBusy };
    return { ...answerWith(state, excerpt, result), text, failure: null };
  },
});

const endedWords = ({ id, status }: CompletionState): string =>
  `${id} had already ended (${status}); there is nothing to cancel.`;

function cancelledWords(state: CompletionState, deviceBusy: boolean | null): string {
  const { id, status, usage } = state;
  if (!hasEnded(state)) return `${id} is being cancelled but has not ended yet.`;
  if (status !== "cancelled") return `${id} ended before it was cancelled: ${status}.`;
  const tokens = usage.outputTokens;
  const after = tokens === null ? "before its first token" : `after ${counted(tokens, "token")}`;
  return `${id} was cancelled ${after}. ${deviceWords(deviceBusy)}`;
}

function deviceWords(busy: boolean | null): string {
  if (busy === false) return "The device is free.";
  return busy === true
    ? "The device stays busy with it for a while: this service does not support cancellation."
    : "It is unknown whether the device still works on it.";
}
