import { z } from "zod";
import { completionFields } from "../../foundry/index.js";
import { defineTool } from "../tool.js";

export const unloadModel = defineTool({
  name: "unload_model",
  title: "Unload a local model",
  description:
    "Unloads a model from memory. Its files stay, and the next use loads it again. Refused while the model is answering.",
  arguments: z.strictObject({
    model: completionFields.model.describe("Alias, name or id from list_models"),
    force: z
      .boolean("true or false")
      .describe(
        "Unload even while the model is answering, if the service allows it; interrupts those answers",
      )
      .optional(),
  }),
  result: z.object({
    model: z.string().describe("Exact id"),
    status: z.enum(["unloaded", "not_loaded"]),
  }),
  effect: "changes",

  async handle({ model, force }, { client, signal, progress }) {
    progress.waiting(`Unloading ${model}`);
    const result = await client.unloadModel(model, {
      signal,
      force,
      onStatus: (news) => progress.news(news, `Unloading ${model}`),
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
