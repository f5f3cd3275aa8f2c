import { timeLimit } from "../../lib/index.js";

/** Time limits of a download, in milliseconds. It has no limit in all: some take hours. */
export const DOWNLOAD_LIMITS = {
  /** A download without any progress for so long is aborted. */
  stallMs: 300_000,
  /** How often files and the service's list are checked while the command line downloads. */
  pollMs: 5000,
  /** How long a listed model must be without progress to be complete while its download still runs. */
  settleMs: 15_000,
  /** How long the service may take to list what was downloaded. */
  graceMs: 20_000,
};

export type DownloadLimits = Readonly<typeof DOWNLOAD_LIMITS>;

/** A watchdog for progress. */
export class StallTimer {
  /** Aborted when there was no progress for the time limit. */
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #limitMs: number;
  #stop: () => void;

  constructor(limitMs: number) {
    this.signal = this.#controller.signal;
    this.#limitMs = limitMs;
    this.#stop = this.#started();
  }

  get isStalled(): boolean {
    return this.signal.aborted;
  }

  /** Restarts the time limit. */
  progress(): void {
    if (this.isStalled) return;
    this.#stop();
    this.#stop = this.#started();
  }

  stop(): void {
    this.#stop();
  }

  #started(): () => void {
    return timeLimit(this.#limitMs, () => this.#controller.abort());
  }
}
