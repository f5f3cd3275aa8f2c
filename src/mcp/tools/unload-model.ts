import * as z from "zod";
import { completionFields, type StatusUpdate } from "../../foundry/index.js";
import { type FoundryError, toFoundryError } from "../../lib/index.js";
import { defineTool } from "../tool.js";

export const unloadModel = defineTool({
  name: "unload_model",
  title: "Unload a local model",
  description: "Unloads a model from memory; its files stay. Refused while it answers.",
  arguments: z.strictObject({
    model: completionFields.model,
    force: z.boolean("true or false").describe("Interrupt its answers").optional(),
  }),
  result: z.object({
    model: z.string(),
    status: z.enum(["unloaded", "not_loaded"]),
  }),
  effect: "changes",

  async handle({ model, force }, { client, signal, trace, progress }) {
    progress.waiting(`Unloading ${model}`);
    const onStatus = (news: StatusUpdate): void => progress.news(news, `Unloading ${model}`);
    const result = await client
      .unloadModel(model, { signal, trace, force, onStatus })
      .catch(async (thrown: unknown) => {
        const error = toFoundryError(thrown);
        if (error.code !== "MODEL_BUSY") throw error;
        throw namingUsers(error, await client.runningOn(model, { signal, trace }));
      });
    return {
      text:
        result.status === "unloaded"
          ? `${result.model} is unloaded.`
          : `${result.model} was not loaded.`,
      result: { model: result.model, status: result.status },
    };
  },
});

/** Further completions are not named. */
const MOST_NAMED = 5;

/** The same refusal with the completions that use the model, and how to end them. */
function namingUsers(error: FoundryError, ids: readonly string[]): FoundryError {
  if (ids.length === 0) return error;
  const [first] = ids;
  const named = JSON.stringify(ids.slice(0, MOST_NAMED));
  const which = ids.length === 1 ? `completion_id "${first}"` : `each completion_id of ${named}`;
  const users = `To cancel, call cancel_completion with ${which}; to wait, call get_completion with completion_ids ${named}.`;
  return error.reworded({ action: `${error.action} ${users}` });
}
