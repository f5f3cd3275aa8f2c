import { z } from "zod";
import { completionFields, type Device } from "../../foundry/index.js";
import { defineTool } from "../tool.js";

const DEVICES = ["cpu", "gpu", "npu"] as const satisfies readonly Device[];

export const loadModel = defineTool({
  name: "load_model",
  title: "Load a local model",
  description:
    "Loads a downloaded model into memory, which takes seconds to minutes. complete does this by itself; use it to warm a model up, or to choose its device. Returns the model's exact id.",
  arguments: z.strictObject({
    model: completionFields.model.describe("Alias, name or id from list_models"),
    device: z
      .enum(DEVICES, { error: `one of ${DEVICES.join(", ")}` })
      .describe("Load the variant for it. Default: the one that is ready, or the service's choice")
      .optional(),
  }),
  result: z.object({
    model: z.string().describe("Exact id"),
    status: z.enum(["loaded", "already_loaded"]),
    percent: z.number().nullable(),
    elapsed_ms: z.number(),
  }),
  effect: "changes",

  async handle({ model, device }, { client, signal, progress }) {
    progress.waiting(`Loading ${model}`);
    const loaded = await client.loadModel(model, { signal, device });
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
