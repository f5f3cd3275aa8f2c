import { FoundryError, formatDuration } from "../../lib/index.js";
import { type KnownModel, shortName } from "../models/index.js";
import type { CliError } from "./cli-error.js";
import { becauseOf, DOWNLOAD_ADVICE, KEPT } from "./download-advice.js";

const at = (percent: number | null): string =>
  percent === null ? "" : ` at ${Math.floor(percent)} %`;

/** A download that stood still too long and was given up. */
export const stalled = (
  { id }: KnownModel,
  stallMs: number,
  percent: number | null,
): FoundryError =>
  new FoundryError(
    "DOWNLOAD_FAILED",
    `The download of ${id} stood still for ${formatDuration(stallMs)}${at(percent)} and was given up.`,
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

/** It could not be started, or ended by something else than itself. */
export const broken = ({ id }: KnownModel, what: string, detail: string): FoundryError =>
  new FoundryError("DOWNLOAD_FAILED", `${id} was not downloaded: foundry model download ${what}.`, {
    action: "Try the command by hand, and set FOUNDRY_CLI if it is another one that works.",
    retryable: true,
    detail,
  });

/** Everybody says that the download is complete, but the service does not have the model (#232). */
export const notListed = ({ id }: KnownModel): FoundryError =>
  new FoundryError(
    "DOWNLOAD_FAILED",
    `The download of ${id} ended without an error, but the service does not list the model as downloaded.`,
    {
      action:
        "Look at list_models in a while; if it stays so, restart Foundry Local and try again.",
      retryable: true,
    },
  );

/** There is no way to download from here, and what the user can do instead. */
const unavailable = (reason: string, action: string): FoundryError =>
  new FoundryError("DOWNLOAD_UNAVAILABLE", reason, { action });

const command = (model: KnownModel): string => `\`foundry model download ${shortName(model)}\``;

export const ofAnotherEngine = ({ id }: KnownModel): FoundryError =>
  unavailable(
    `${id} cannot be downloaded from here: the server is no Foundry Local.`,
    "Download it with that server's own tools.",
  );

export const onAnotherMachine = (model: KnownModel): FoundryError =>
  unavailable(
    `${model.id} cannot be downloaded from here: the service runs on another machine and does not download over HTTP.`,
    `Run ${command(model)} on that machine.`,
  );

export const withoutCli = (model: KnownModel): FoundryError =>
  unavailable(
    `${model.id} cannot be downloaded from here: the service does not download over HTTP, and the command line of Foundry Local was not found.`,
    `Install Foundry Local's command line or set FOUNDRY_CLI to where it is, then try again or run ${command(model)}. Where an application brought the service, download it there.`,
  );

export const withOldCli = (model: KnownModel): FoundryError =>
  unavailable(
    `${model.id} cannot be downloaded from here: the command line that was found is of an older Foundry Local than the service, and downloads for its own service only.`,
    "Upgrade the command line, or download the model in the application that brought the service.",
  );

export const withSilentCli = (model: KnownModel): FoundryError =>
  unavailable(
    `${model.id} cannot be downloaded from here: the command line that was found does not tell where it downloads to.`,
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
    "Choose another model from list_models.",
  );

/** How a download was going on when its last caller cancelled it. */
export type Stage = "waiting" | "shared" | "service" | "daemon" | "embedded";

const AFTER_CANCEL: Record<Stage, string> = {
  waiting: "Nothing to do: the download had not begun.",
  shared: "Nothing to do: others wait for the same download, so it goes on.",
  // Closing the connection stops no download on S (#365), and the newer command line leaves it to its daemon.
  service: `The service may go on with the download by itself; list_models shows when it is complete. ${KEPT}`,
  daemon: `The download was ended, though Foundry Local may go on with it by itself. ${KEPT}`,
  embedded: `The download was ended. ${KEPT}`,
};

export const cancelled = (stage: Stage): FoundryError =>
  new FoundryError("CANCELLED", "The call was cancelled.", { action: AFTER_CANCEL[stage] });
