import * as z from "zod";
import { completionFields, type Device, type StatusUpdate } from "../../foundry/index.js";
import type { LoadState, LoadWish } from "../../jobs/index.js";
import { throwIfAborted } from "../../lib/index.js";
import type { ProgressReporter } from "../progress-reporter.js";
import { defineTool, type ToolContext } from "../tool.js";
import {
  isDownloadAgreed,
  leaveLoad,
  orDownload,
  replyWithin,
  replyWithinMs,
} from "./shared/index.js";

const DEVICES = ["cpu", "gpu", "npu"] as const satisfies readonly Device[];
/** Kept of the time of a call to ask the service whether the model is loaded. It answers at once if so. */
const LOOK_UP_MS = 2000;
/** A repeated call waits for so long at least, or one that does not wait would never see that the model is loaded. */
const LEAST_MS = 1000;
const STATUSES = ["loaded", "already_loaded", "loading", "downloading"] as const;

export const loadModel = defineTool({
  name: "load_model",
  title: "Load a local model",
  description:
    "Loads a model into memory, in seconds to minutes. complete does this by itself; this warms one up, chooses its device or, with download, gets it (gigabytes: ask the user first).",
  arguments: z.strictObject({
    model: completionFields.model,
    device: z.enum(DEVICES, { error: `one of ${DEVICES.join(", ")}` }).optional(),
    download: z.boolean("true or false").optional(),
    force: z.boolean("true or false").describe("Despite little memory or disk").optional(),
    reply_within: replyWithin,
  }),
  result: z.object({
    model: z.string(),
    status: z.enum(STATUSES),
    percent: z.number().nullable(),
    elapsed_ms: z.number(),
  }),
  effect: "changes",
  outlivesCall: true,

  async handle({ model, reply_within, ...wish }, context) {
    const { kept, signal, progress } = context;
    const wanted = { ...wish, download: wish.download ?? (isDownloadAgreed(context) || undefined) };
    progress.waiting(`Loading ${model}`);
    const withinMs = replyWithinMs(reply_within, context);
    const end = performance.now() + withinMs;
    // A load that ends in the keeper at the last moment is still looked up in the service.
    const keeperMs = withinMs - Math.min(LOOK_UP_MS, withinMs / 4);
    const onState = ({ news }: LoadState) => progress.waiting(news ?? `Loading ${model}`);
    // A load has no id of its own.
    context.identify(context.trace.id);
    const elsewhere = await kept.load(model, wanted, { withinMs: keeperMs, signal, onState });
    const leftMs = Math.max(0, end - performance.now());
    const state = elsewhere ?? (await loaded(model, wanted, leftMs, context));
    if (state.status === "failed") {
      const { device, download } = wish;
      throw download === undefined
        ? await orDownload(state.error, { model, device }, context)
        : state.error;
    }
    const { status, percent, elapsedMs, warnings } = state;
    return {
      next: nextOf(state),
      notes: warnings,
      text: textOf(state),
      result: { model: state.model, status, percent, elapsed_ms: elapsedMs },
    };
  },
});

async function loaded(
  model: string,
  wish: LoadWish,
  withinMs: number,
  context: ToolContext,
): Promise<LoadState> {
  const { client, kept, signal, trace, progress } = context;
  const { loads } = client;
  throwIfAborted(signal);
  const load = loads.start(model, { ...wish, trace });
  const waitMs = load.isRepeat ? Math.max(LEAST_MS, withinMs) : withinMs;
  try {
    const onStatus = statusReporter(progress);
    const state = await loads.wait(load, { withinMs: waitMs, signal, onStatus });
    await kept.answeredLoad(model, wish, load);
    return state;
  } catch (thrown) {
    if (signal.aborted) leaveLoad(load, context);
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

function textOf({ model, status, elapsedMs }: LoadState): string {
  if (status === "already_loaded") return `${model} was already loaded.`;
  return status === "loaded"
    ? `${model} is loaded; it took ${(elapsedMs / 1000).toFixed(1)} s.`
    : "";
}

/** How far a load is that goes on, and what to call to wait for it. */
function nextOf({ model, status, percent, elapsedMs, news }: LoadState): string | null {
  if (status === "loaded" || status === "already_loaded") return null;
  const soFar = `after ${Math.round(elapsedMs / 1000)} s`;
  const isLoading = news === null || news === `Loading ${model}`;
  const words =
    status === "downloading" && percent !== null
      ? `${model} is being downloaded: ${percent.toFixed(1)} % ${soFar}`
      : isLoading
        ? `${model} is still loading ${soFar}`
        : `${model} is not loaded yet ${soFar}. Current step: ${news}`;
  return `Not finished: ${words}. Call load_model again with the same arguments to keep waiting.`;
}
