import * as z from "zod";
import { completionFields, type Device, type StatusUpdate } from "../../foundry/index.js";
import type { LoadState, LoadWish } from "../../jobs/index.js";
import { cancellationOf, replyWithin, replyWithinMs } from "../call-policy.js";
import type { ProgressReporter } from "../progress-reporter.js";
import { defineTool, type ToolContext } from "../tool.js";

const DEVICES = ["cpu", "gpu", "npu"] as const satisfies readonly Device[];
const STATUSES = ["loaded", "already_loaded", "loading", "downloading"] as const;

export const loadModel = defineTool({
  name: "load_model",
  title: "Load a local model",
  description:
    "Loads a model into memory, which takes seconds to minutes. complete does this automatically; use load_model to warm up a model, to choose its device or, with download, to download a model (gigabytes: ask the user first). Returns the exact model id. While status is loading or downloading, call again with the same model to keep waiting.",
  arguments: z.strictObject({
    model: completionFields.model.describe("Alias, name or id from list_models"),
    device: z
      .enum(DEVICES, { error: `one of ${DEVICES.join(", ")}` })
      .describe(
        "Load the variant for this device. Default: the ready variant, or the service's choice",
      )
      .optional(),
    download: z
      .boolean("true or false")
      .describe("Download the model first if it is missing")
      .optional(),
    force: z
      .boolean("true or false")
      .describe("Proceed even if memory or disk space seems too small")
      .optional(),
    reply_within: replyWithin,
  }),
  result: z.object({
    model: z.string().describe("Exact id"),
    status: z.enum(STATUSES),
    percent: z.number().nullable(),
    elapsed_ms: z.number(),
    warnings: z.array(z.string()),
  }),
  effect: "changes",

  async handle({ model, reply_within, ...wish }, context) {
    const { kept, policy, signal, progress } = context;
    progress.waiting(`Loading ${model}`);
    const withinMs = replyWithinMs(reply_within, policy);
    const onState = ({ news }: LoadState): void => progress.waiting(news ?? `Loading ${model}`);
    const elsewhere = await kept.load(model, wish, { withinMs, signal, onState });
    const state = elsewhere ?? (await loaded(model, wish, withinMs, context));
    if (state.status === "failed") throw state.error;
    const { status, percent, elapsedMs, warnings } = state;
    return {
      text: textOf(state),
      notes: warnings,
      result: {
        model: state.model,
        status,
        percent,
        elapsed_ms: elapsedMs,
        warnings: [...warnings],
      },
    };
  },
});

async function loaded(
  model: string,
  wish: LoadWish,
  withinMs: number,
  { client: { loads }, kept, signal, progress, policy }: ToolContext,
): Promise<LoadState> {
  const load = loads.start(model, wish);
  try {
    const state = await loads.wait(load, { withinMs, signal, onStatus: statusReporter(progress) });
    await kept.answeredLoad(model, wish, load);
    return state;
  } catch (thrown) {
    if (signal.aborted && cancellationOf(signal, policy.onCancel) === "stop") loads.stop(load);
    throw thrown;
  }
}

/** Reports loading again only after another step: the call has already reported it once. */
function statusReporter(progress: ProgressReporter): (news: StatusUpdate) => void {
  let hadOtherStep = false;
  return (news) => {
    if (news.step !== "loading") {
      hadOtherStep = true;
      progress.news(news, "Loading it");
    } else if (hadOtherStep) {
      progress.waiting(news.message);
    }
  };
}

const GO_ON = "Call load_model again with the same model to keep waiting.";

function textOf({ model, status, percent, elapsedMs, news }: LoadState): string {
  const seconds = elapsedMs / 1000;
  if (status === "already_loaded") return `${model} was already loaded.`;
  if (status === "loaded") return `${model} is loaded; it took ${seconds.toFixed(1)} s.`;
  const soFar = `after ${Math.round(seconds)} s`;
  if (status === "downloading" && percent !== null) {
    return `${model} is being downloaded: ${percent.toFixed(1)} % ${soFar}. ${GO_ON}`;
  }
  const isLoading = news === null || news === `Loading ${model}`;
  const what = isLoading
    ? `${model} is still loading ${soFar}`
    : `${model} is not loaded yet ${soFar}. Current step: ${news}`;
  return `${what}. ${GO_ON}`;
}
