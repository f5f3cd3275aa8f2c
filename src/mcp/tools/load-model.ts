import * as z from "zod";
import { completionFields, type Device, type StatusUpdate } from "../../foundry/index.js";
import type { LoadRun, LoadState } from "../../jobs/index.js";
import { replyWithin, replyWithinMs } from "../call-policy.js";
import type { ProgressReporter } from "../progress-reporter.js";
import { defineTool, type ToolContext } from "../tool.js";
import { isDownloadAgreed, loadTaskId, orDownload } from "./shared/index.js";

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
    const { client, signal, progress } = context;
    const { loads } = client;
    const wanted = { ...wish, download: wish.download ?? (isDownloadAgreed(context) || undefined) };
    progress.waiting(`Loading ${model}`);
    const load = loads.start(model, wanted);
    context.identify?.(loadTaskId());
    const withinMs = replyWithinMs(reply_within, context);
    let state: LoadState;
    try {
      state = await loads.wait(load, { withinMs, signal, onStatus: statusReporter(progress) });
    } catch (thrown) {
      if (signal.aborted) leave(load, context);
      throw thrown;
    }
    if (state.status === "failed") {
      const { device, download } = wish;
      throw download === undefined
        ? await orDownload(state.error, { model, device }, context)
        : state.error;
    }
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

/** What becomes of a load whose call the host has cancelled. */
function leave(load: LoadRun, { client: { loads }, cancellation, afterGrace }: ToolContext): void {
  const meant = cancellation();
  if (meant === "stop") loads.stop(load);
  if (meant !== "unclear") return;
  const { waits } = load;
  afterGrace(() => {
    if (load.waits === waits) loads.stop(load);
  });
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
