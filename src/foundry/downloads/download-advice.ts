/** Why whoever downloads gave up, as far as words tell. */
export type DownloadFault =
  | "unknown_command"
  | "network"
  | "disk_full"
  | "not_in_catalog"
  | "unknown";

/** True of every way to download, from Foundry Local's and ours. */
export const KEPT = "What is there is kept, and calling again goes on from there.";

export interface DownloadAdvice {
  readonly action: string;
  readonly retryable: boolean;
}

export const DOWNLOAD_ADVICE: Readonly<Record<DownloadFault, DownloadAdvice>> = {
  unknown_command: {
    action: "Upgrade Foundry Local's command line, or download the model by what its help says.",
    retryable: false,
  },
  network: {
    action: `Check the network, and the proxy where there is one, then try again. ${KEPT}`,
    retryable: true,
  },
  disk_full: { action: `Free disk space, then try again. ${KEPT}`, retryable: false },
  not_in_catalog: {
    action:
      "Choose another model from list_models; the catalog differs between versions of Foundry Local.",
    retryable: false,
  },
  unknown: { action: `Try again. ${KEPT}`, retryable: true },
};

/** The clause behind "was not downloaded", where `whose` catalog was asked. */
export const becauseOf = (fault: DownloadFault, whose: string): string => {
  switch (fault) {
    case "unknown_command":
      return ": the command line does not take that command";
    case "network":
      return ": the network or the model registry failed";
    case "disk_full":
      return ": the disk is full";
    case "not_in_catalog":
      return `: ${whose} catalog does not have it`;
    case "unknown":
      return "";
  }
};
