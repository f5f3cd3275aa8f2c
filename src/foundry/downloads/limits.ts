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

export class StallTimer {
  readonly #controller = new AbortController();
  /** Aborted when there was no progress for the time limit. */
  readonly signal: AbortSignal = this.#controller.signal;
  readonly #limits: Pick<DownloadLimits, "stallMs" | "startLimit">;
  /** Ends the time limit. */
  stop: () => void;

  constructor(limits: Pick<DownloadLimits, "stallMs" | "startLimit">) {
    this.#limits = limits;
    this.stop = this.#started();
  }

  /** Restarts the time limit. */
  progress(): void {
    if (this.signal.aborted) return;
    this.stop();
    this.stop = this.#started();
  }

  #started(): () => void {
    const { stallMs, startLimit } = this.#limits;
    return startLimit(stallMs, () => this.#controller.abort());
  }
}
