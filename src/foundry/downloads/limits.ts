/** Times of a download, in milliseconds. It has no limit in all: some take hours. */
export interface DownloadLimits {
  /** Nothing moves for so long: it is given up. */
  readonly stallMs: number;
  /** How often the files and the service's list are looked at while the command line downloads. */
  readonly pollMs: number;
  /** How long nothing must have moved before a listed model counts as complete while it still runs. */
  readonly settleMs: number;
  /** How long the service may take to list what was downloaded. */
  readonly graceMs: number;
}

export const DOWNLOAD_LIMITS: DownloadLimits = {
  stallMs: 300_000,
  pollMs: 5000,
  settleMs: 15_000,
  graceMs: 20_000,
};
