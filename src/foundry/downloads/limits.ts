import { timeLimit } from "../../lib/index.js";

/** Time limits of a download, in milliseconds, and their clock. It has no limit in all: some take hours. */
export const DOWNLOAD_LIMITS = {
  /** A download without any progress for so long is aborted. */
  stallMs: 300_000,
  /** How often files and the service's list are checked while the command line downloads. */
  pollMs: 5000,
  /** How long a listed model must be without progress to be complete while its download still runs. */
  settleMs: 15_000,
  /** How long the service may take to list what was downloaded. */
  graceMs: 20_000,
  /** Begins the time limit without progress; returns what stops it. Tests inject another. */
  startLimit: timeLimit,
};

export type DownloadLimits = Readonly<typeof DOWNLOAD_LIMITS>;

/** Its signal is aborted when there was no progress for the time limit. */
export function stallTimer({
  stallMs,
  startLimit,
}: Pick<DownloadLimits, "stallMs" | "startLimit">): {
  readonly signal: AbortSignal;
  readonly progress: () => void;
  readonly stop: () => void;
} {
  const controller = new AbortController();
  const { signal } = controller;
  const started = (): (() => void) => startLimit(stallMs, () => controller.abort());
  let stop = started();
  /** Restarts the time limit. */
  const progress = (): void => {
    if (signal.aborted) return;
    stop();
    stop = started();
  };
  return { signal, progress, stop: () => stop() };
}
