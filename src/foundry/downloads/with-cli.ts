import { setTimeout } from "node:timers/promises";
import { cancelledError, MAX_TIMER_MS } from "../../lib/index.js";
import type { ProgramRun } from "../../platform/index.js";
import type { FoundryCli } from "../cli/index.js";
import type { KnownModel } from "../models/index.js";
import type { Service } from "../service/index.js";
import { cliErrorOf } from "./cli-error.js";
import { CliProgress } from "./download-output.js";
import { broken, gaveUp, stalled } from "./failures.js";
import type { DownloadLimits } from "./limits.js";
import { stateOfFiles } from "./model-files.js";
import { isDownloaded, untilListed } from "./presence.js";
import { Stall } from "./stall.js";

export interface CliDownload {
  readonly service: Service;
  readonly cli: FoundryCli;
  /** Where the service keeps its models, on this machine; `null` where it does not say. */
  readonly cache: string | null;
  readonly limits: DownloadLimits;
  readonly signal: AbortSignal;
  readonly onPercent: (percent: number | null) => void;
}

/**
 * Lets the command line of this machine download, until the service has the model. The command may go
 * on after that, and it may end well without the service having it (docs/foundry-local.md, section 12).
 *
 * @throws FoundryError `DOWNLOAD_FAILED`, `CANCELLED`.
 */
export async function downloadWithCli(model: KnownModel, download: CliDownload): Promise<void> {
  const { service, cli, limits, signal, onPercent } = download;
  const progress = new CliProgress();
  const stall = new Stall(limits.stallMs);
  const complete = new AbortController();
  const over = new AbortController();
  const watched = { movedAt: performance.now(), progress };
  const moved = (): void => {
    watched.movedAt = performance.now();
    stall.moved();
  };
  const watching = untilComplete(model, download, watched, moved, over.signal).then(
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
        if (progress.take(text)) moved();
        onPercent(progress.percent);
      },
    });
  } finally {
    stall.stop();
    over.abort();
    await watching;
  }
  if (signal.aborted) throw cancelledError();
  if (complete.signal.aborted) return;
  if (stall.isStalled) {
    if (await isWhole(model, service, progress, signal)) return;
    throw stalled(model, limits.stallMs, progress.percent);
  }
  await judge(model, run, progress.percent, download);
}

/** What the end of the command means. */
async function judge(
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
  // It may fail at something that comes after the download.
  const isThere =
    percent === 100 && (await isDownloaded(service, model, signal).catch(() => null)) === true;
  if (!isThere) throw gaveUp(model, percent, cliErrorOf(stdout, stderr), detail);
}

/**
 * Looks after a running command: its files where it says nothing, and the service's list where
 * nothing moves any more. Never rejects.
 *
 * @returns whether the service has the model, though the command goes on running.
 */
async function untilComplete(
  model: KnownModel,
  { service, cache, limits }: CliDownload,
  watched: { readonly movedAt: number; readonly progress: CliProgress },
  moved: () => void,
  over: AbortSignal,
): Promise<boolean> {
  const look = async (): Promise<string> => (cache === null ? "" : stateOfFiles(cache, model));
  let files = await look();
  for (;;) {
    await setTimeout(limits.pollMs, undefined, { signal: over }).catch(() => {});
    if (over.aborted) return false;
    const now = await look();
    if (now !== files) moved();
    files = now;
    // While anything moves, a model that is listed is one whose small files came first.
    if (performance.now() - watched.movedAt < limits.settleMs) continue;
    if ((await isWhole(model, service, watched.progress, over)) && !over.aborted) return true;
  }
}

/** Whether the service has the model, and the command has not said that a part of it is missing. */
async function isWhole(
  model: KnownModel,
  service: Service,
  { percent }: CliProgress,
  signal: AbortSignal,
): Promise<boolean> {
  if (percent !== null && percent < 100) return false;
  return (await isDownloaded(service, model, signal).catch(() => null)) === true;
}
