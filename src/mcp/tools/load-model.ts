import { z } from "zod";
import { completionFields, type Device, type News } from "../../foundry/index.js";
import { defineTool } from "../tool.js";

const DEVICES = ["cpu", "gpu", "npu"] as const satisfies readonly Device[];

export const loadModel = defineTool({
  name: "load_model",
  title: "Load a local model",
  description:
    "Loads a model into memory, which takes seconds to minutes. complete does this by itself; use it to warm a model up, to choose its device, or, with download, to get a model that is not here yet: gigabytes, so ask the user first. Returns the model's exact id.",
  arguments: z.strictObject({
    model: completionFields.model.describe("Alias, name or id from list_models"),
    device: z
      .enum(DEVICES, { error: `one of ${DEVICES.join(", ")}` })
      .describe("Load the variant for it. Default: the one that is ready, or the service's choice")
      .optional(),
    download: z.boolean("true or false").describe("Download it first if it is not here").optional(),
  }),
  result: z.object({
    model: z.string().describe("Exact id"),
    status: z.enum(["loaded", "already_loaded"]),
    percent: z.number().nullable(),
    elapsed_ms: z.number(),
  }),
  effect: "changes",

  async handle({ model, device, download }, { client, signal, progress }) {
    progress.waiting(`Loading ${model}`);
    const onNews = (news: News) => progress.news(news, `Loading ${model}`);
    const loaded = await client.loadModel(model, { signal, device, download, onNews });
    return {
      text:
        loaded.status === "already_loaded"
          ? `${loaded.model} was loaded already.`
          : `${loaded.model} is loaded; it took ${(loaded.elapsedMs / 1000).toFixed(1)} s.`,
      result: {
        model: loaded.model,
        status: loaded.status,
        percent: 100,
        elapsed_ms: loaded.elapsedMs,
      },
    };
  },
});
