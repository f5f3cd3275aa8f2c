import { setTimeout } from "node:timers/promises";
import { cancelledError, MAX_TIMER_MS } from "../../lib/index.js";
import type { ProgramRun } from "../../platform/index.js";
import type { FoundryCli } from "../cli/index.js";
import type { KnownModel } from "../models/index.js";
import type { Service } from "../service/index.js";
import { CliProgress, cliErrorOf } from "./download-output.js";
import { broken, gaveUp, stalled } from "./failures.js";
import { type DownloadLimits, stallTimer } from "./limits.js";
import { stateOfFiles } from "./model-files.js";
import { hasModel, untilListed } from "./presence.js";

interface CliDownload {
  readonly service: Service;
  readonly cli: FoundryCli;
  /** Where the service stores its models, on this machine; `null` where it does not say. */
  readonly cache: string | null;
  readonly limits: DownloadLimits;
  readonly signal: AbortSignal;
  readonly onPercent: (percent: number | null) => void;
}

/**
 * Downloads a model with the command line of this machine, until the service has it. The command may
 * continue after that, and it may succeed without the service having the model
 * (docs/foundry-local.md, section 12).
 *
 * @throws FoundryError `DOWNLOAD_FAILED`, `CANCELLED`.
 */
export async function downloadWithCli(model: KnownModel, download: CliDownload): Promise<void> {
  const { service, cli, limits, signal, onPercent } = download;
  const progress = new CliProgress();
  const stall = stallTimer(limits);
  const complete = new AbortController();
  const ended = new AbortController();
  const watched = { progressAt: performance.now(), output: progress };
  const onProgress = (): void => {
    watched.progressAt = performance.now();
    stall.progress();
  };
  const watching = untilComplete(model, download, watched, onProgress, ended.signal).then(
    (isComplete) => {
      if (isComplete) complete.abort();
    },
  );
  let run: ProgramRun;
  try {
    run = await cli.run(["model", "download", model.id], {
      timeoutMs: MAX_TIMER_MS,
      signal: AbortSignal.any([signal, stall.signal, complete.signal]),
      onOutput: (text) => {
        if (progress.take(text)) onProgress();
        onPercent(progress.percent);
      },
    });
  } finally {
    stall.stop();
    ended.abort();
    await watching;
  }
  if (signal.aborted) throw cancelledError();
  if (complete.signal.aborted) return;
  if (stall.signal.aborted) {
    if (await isComplete(model, service, progress, signal)) return;
    throw stalled(model, limits.stallMs, progress.percent);
  }
  await assertSucceeded(model, run, progress.percent, download);
}

async function assertSucceeded(
  model: KnownModel,
  { end, stdout, stderr }: ProgramRun,
  percent: number | null,
  { service, limits, signal }: CliDownload,
): Promise<void> {
  const detail = `${stderr}\n${stdout}`.trim().slice(-2000);
  if (end.kind === "not_started") {
    throw broken(model, `could not be started (${end.reason})`, detail);
  }
  if (end.kind !== "exited" || end.code === null) {
    throw broken(model, "was ended by something else", `${JSON.stringify(end)} ${detail}`);
  }
  if (end.code === 0) return untilListed(service, model, limits, signal);
  // The command may fail in a step after the download.
  const isPresent = percent === 100 && (await hasModel(service, model, signal));
  if (!isPresent) throw gaveUp(model, percent, cliErrorOf(stdout, stderr), detail);
}

/**
 * Watches a running command: its files while it prints nothing, and the service's list when there is
 * no progress any more. Never rejects.
 *
 * @returns whether the service has the model, although the command is still running.
 */
async function untilComplete(
  model: KnownModel,
  { service, cache, limits }: CliDownload,
  watched: { readonly progressAt: number; readonly output: CliProgress },
  onProgress: () => void,
  ended: AbortSignal,
): Promise<boolean> {
  const state = async (): Promise<string> => (cache === null ? "" : stateOfFiles(cache, model));
  let before = await state();
  for (;;) {
    await setTimeout(limits.pollMs, undefined, { signal: ended }).catch(() => {});
    if (ended.aborted) return false;
    const now = await state();
    if (now !== before) onProgress();
    before = now;
    // During progress, a listed model is one whose small files came first.
    const { progressAt } = watched;
    if (performance.now() - progressAt < limits.settleMs) continue;
    const listed = await isComplete(model, service, watched.output, ended);
    if (listed && watched.progressAt === progressAt && !ended.aborted) return true;
  }
}

/** Whether the service has the model, and the command has not reported a percentage below 100. */
async function isComplete(
  model: KnownModel,
  service: Service,
  { percent }: CliProgress,
  signal: AbortSignal,
): Promise<boolean> {
  return (percent === null || percent >= 100) && hasModel(service, model, signal);
}
