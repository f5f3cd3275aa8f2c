import { FoundryError, formatDuration } from "../../lib/index.js";
import { type KnownModel, shortName } from "../models/index.js";

/** Why a download failed, as far as its output shows. */
export type DownloadFault =
  | "unknown_command"
  | "network"
  | "disk_full"
  | "not_in_catalog"
  | "unknown";

/** Why the command line failed, as far as its output shows. */
export interface CliError {
  readonly reason: DownloadFault;
  /** What it printed, as a clause without a full stop, without paths and stacks; `null` for nothing. */
  readonly clause: string | null;
}

/** True of every download method. */
const KEPT = "What is there is kept, and calling again goes on from there.";

export const DOWNLOAD_ADVICE: Readonly<
  Record<DownloadFault, { readonly action: string; readonly retryable: boolean }>
> = {
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
      "Choose another model: `listModels` lists those of this service. The catalog differs between versions of Foundry Local.",
    retryable: false,
  },
  unknown: { action: `Try again. ${KEPT}`, retryable: true },
};

/** The clause behind "was not downloaded". @param whose Whose catalog it was, as a possessive. */
export const becauseOf = (fault: DownloadFault, whose: string): string =>
  ({
    unknown_command: ": the command line does not take that command",
    network: ": the network or the model registry failed",
    disk_full: ": the disk is full",
    not_in_catalog: `: ${whose} catalog does not have it`,
    unknown: "",
  })[fault];

const at = (percent: number | null): string =>
  percent === null ? "" : ` at ${Math.floor(percent)} %`;

/** A download that was aborted without progress. */
export const stalled = (
  { id }: KnownModel,
  stallMs: number,
  percent: number | null,
): FoundryError =>
  new FoundryError(
    "DOWNLOAD_FAILED",
    `The download of ${id} made no progress for ${formatDuration(stallMs)}${at(percent)} and was aborted.`,
    { action: `Check the network, then try again. ${KEPT}`, retryable: true },
  );

/** The command line gave up. */
export function gaveUp(
  { id }: KnownModel,
  percent: number | null,
  { reason, clause }: CliError,
  detail: string,
): FoundryError {
  const because = becauseOf(reason, "the command line's");
  const said = clause === null ? "" : ` It said: ${clause}.`;
  return new FoundryError(
    "DOWNLOAD_FAILED",
    `${id} was not downloaded${because}; foundry model download gave up${at(percent)}.${said}`,
    { ...DOWNLOAD_ADVICE[reason], detail },
  );
}

/** The command could not be started, or was ended from outside. */
export const broken = ({ id }: KnownModel, what: string, detail: string): FoundryError =>
  new FoundryError("DOWNLOAD_FAILED", `${id} was not downloaded: foundry model download ${what}.`, {
    action:
      "Try the command by hand, and set the option `cliPath` if it is another one that works.",
    retryable: true,
    detail,
  });

/** The download succeeded, but the service does not list the model (#232). */
export const notListed = ({ id }: KnownModel): FoundryError =>
  new FoundryError(
    "DOWNLOAD_FAILED",
    `The download of ${id} ended without an error, but the service does not list the model as downloaded.`,
    {
      action:
        "Look at `listModels` in a while; if it stays so, restart Foundry Local and try again.",
      retryable: true,
    },
  );

/** There is no download method, and what the user can do instead. */
const unavailable = (reason: string, action: string): FoundryError =>
  new FoundryError("DOWNLOAD_UNAVAILABLE", reason, { action });

const command = (model: KnownModel): string => `\`foundry model download ${shortName(model)}\``;

export const ofAnotherEngine = ({ id }: KnownModel): FoundryError =>
  unavailable(
    `${id} cannot be downloaded from here: the service is not Foundry Local.`,
    "Call complete with it, which the engine may load by itself. If the engine does not have it, download it with the engine's own tools.",
  );

export const onAnotherMachine = (model: KnownModel): FoundryError =>
  unavailable(
    `${model.id} cannot be downloaded from here: the service runs on another machine and does not download over HTTP.`,
    `Run ${command(model)} on that machine.`,
  );

export const withoutCli = (model: KnownModel): FoundryError =>
  unavailable(
    `${model.id} cannot be downloaded from here: the service does not download over HTTP, and the command line of Foundry Local was not found.`,
    `Install Foundry Local's command line or set the option \`cliPath\` to where it is, then try again or run ${command(model)}. Where an application brought the service, download it there.`,
  );

export const withOldCli = (model: KnownModel): FoundryError =>
  unavailable(
    `${model.id} cannot be downloaded from here: the command line that was found is of an older Foundry Local than the service, and downloads for its own service only.`,
    "Upgrade the command line, or download the model in the application that brought the service.",
  );

export const withSilentCli = (model: KnownModel): FoundryError =>
  unavailable(
    `${model.id} cannot be downloaded from here: the command line that was found does not say where it downloads to.`,
    `Run ${command(model)} by hand, or download the model in the application that brought the service.`,
  );

export const withOtherCache = (model: KnownModel): FoundryError =>
  unavailable(
    `${model.id} cannot be downloaded from here: the service keeps its models in another folder than the command line does, so a download would not reach it.`,
    "Download it in the application that brought the service, or let both use the same folder.",
  );

export const withOddName = (): FoundryError =>
  unavailable(
    "This model cannot be downloaded from here: its id is not one that a command line takes.",
    "Choose another model: `listModels` lists them.",
  );

/** The stage of a download that a caller cancels; `shared`: other callers wait for it. */
export type Stage = "waiting" | "shared" | "service" | "daemon" | "embedded";

const AFTER_CANCEL: Record<Stage, string> = {
  waiting: "Nothing to do: the download had not begun.",
  shared: "Nothing to do: others wait for the same download, so it goes on.",
  // Closing the connection stops no download on S (#365), and the newer command line leaves it to its daemon.
  service: `The service may go on with the download by itself; \`listModels\` shows when it is complete. ${KEPT}`,
  daemon: `The download was ended, though Foundry Local may go on with it by itself. ${KEPT}`,
  embedded: `The download was ended. ${KEPT}`,
};

export const cancelled = (stage: Stage): FoundryError =>
  new FoundryError("CANCELLED", "The call was cancelled.", { action: AFTER_CANCEL[stage] });
