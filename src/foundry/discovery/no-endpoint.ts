import { FoundryError, PACKAGE_FOLDER } from "../../lib/index.js";
import type { Machine } from "../../platform/index.js";
import type { FoundryCli, StartVerb } from "../cli/index.js";
import { sdkInstallation } from "../embedded/index.js";
import { type Attempt, inCode, NOTHING_THERE, TRIED } from "./attempt.js";

/** Why nothing was found. */
export type Situation =
  | { readonly kind: "no_cli" }
  /** `willStart`: this search only scanned, and the next call starts or restarts it. */
  | { readonly kind: "not_running"; readonly cli: FoundryCli; readonly willStart: boolean }
  | { readonly kind: "starting"; readonly cli: FoundryCli }
  /** `verb`: of the command that failed. */
  | { readonly kind: "start_failed"; readonly cli: FoundryCli; readonly verb: StartVerb }
  | { readonly kind: "start_late"; readonly cli: FoundryCli }
  | { readonly kind: "dead_listener"; readonly cli: FoundryCli; readonly willStart: boolean }
  | { readonly kind: "silent"; readonly cli: FoundryCli }
  | { readonly kind: "cli_failed"; readonly cli: FoundryCli }
  | { readonly kind: "cli_unstartable" }
  | { readonly kind: "embedded_missing" }
  | { readonly kind: "embedded_later" }
  | { readonly kind: "embedded_failed"; readonly error: FoundryError };

interface InstallFacts {
  /** Whether the settings allow the embedded service. */
  readonly mayEmbed: boolean;
  /** This package's folder. Tests set another. */
  readonly packageFolder?: string;
}

interface Facts extends InstallFacts {
  /** Whether the path of the command line was set by the user. */
  readonly isCliSet: boolean;
}

interface Texts {
  readonly headline: string;
  readonly action: string;
  readonly retryable: boolean;
}

const OR_SET = "or set the option `endpoint` to where it listens";

/** The error of a search that found nothing: the situation, what was tried, what to do. */
export function noEndpointError(
  situation: Situation,
  attempts: readonly Attempt[],
  machine: Machine,
  facts: Facts,
): FoundryError {
  const { headline, action, retryable } = textsFor(situation, machine, facts);
  const tried = attempts.filter((attempt) => isInformative(attempt, situation));
  const list = tried.map(({ what, outcome }) => `${what}: ${outcome}`).join("; ");
  const message = list === "" ? `${headline}.` : `${headline}.${TRIED}${list}.`;
  return new FoundryError("NO_ENDPOINT", message, {
    action: `${action}${wslHint(machine)}`,
    retryable,
    ...(situation.kind === "embedded_failed" ? causeOf(situation.error) : {}),
  });
}

const UNINFORMATIVE: ReadonlySet<string> = new Set(Object.values(NOTHING_THERE));

/** Agents read the message, and their context is short: the headline is not repeated. */
function isInformative({ what, outcome }: Attempt, situation: Situation): boolean {
  if (UNINFORMATIVE.has(outcome)) return false;
  const isRepeated = situation.kind === "not_running" || situation.kind === "starting";
  return !isRepeated || what !== inCode(situation.cli.command("status"));
}

const causeOf = (error: FoundryError) => ({ cause: error, detail: error.detail });

function textsFor(situation: Situation, machine: Machine, facts: Facts): Texts {
  switch (situation.kind) {
    case "no_cli":
      return {
        headline: "No Foundry Local was found, and its command line is not installed",
        action: installAdvice(machine, facts),
        retryable: false,
      };
    case "not_running": {
      const command = inCode(situation.cli.command("start"));
      return {
        headline: "Foundry Local is installed, but not running",
        action: situation.willStart
          ? `Nothing to do: the next call that needs it starts it. To start it now, run ${command}.`
          : `Start it with ${command}, set the option \`autostart\` to true, ${OR_SET}.`,
        retryable: situation.willStart,
      };
    }
    case "start_failed":
      return {
        headline: `Foundry Local could not be ${situation.verb}ed`,
        // #146: an Inference.Service.Agent may survive a stop or an update and keep its port.
        action: `Run ${inCode(situation.cli.command(situation.verb))} in a terminal to see why it does not start; if an address is in use, end the old Inference.Service.Agent that holds it.`,
        retryable: false,
      };
    case "starting":
    case "start_late": {
      const is = situation.kind === "starting" ? "is starting" : "was started";
      return {
        headline: `Foundry Local ${is}, but does not answer yet`,
        action: `Try again in a minute: a first start can take long. If that does not help, run ${inCode(situation.cli.command("status"))} in a terminal, ${OR_SET}.`,
        retryable: true,
      };
    }
    case "dead_listener": {
      const command = inCode(situation.cli.command("restart"));
      return {
        headline: "Foundry Local says that it runs, but nothing listens where it says",
        action: situation.willStart
          ? `Nothing to do: the next call that needs it restarts it. To do so now, run ${command}.`
          : `Restart it with ${command}, ${OR_SET}.`,
        retryable: situation.willStart,
      };
    }
    case "silent":
      return {
        headline: "Foundry Local runs, but does not answer as it should",
        action: `Try again in a moment; if that does not help, restart it with ${inCode(situation.cli.command("restart"))}.`,
        retryable: true,
      };
    case "cli_failed": {
      const restart =
        situation.cli.generation === null
          ? ""
          : ` with ${inCode(situation.cli.command("restart"))}`;
      // Neither generation's output was recognised.
      const otherProgram =
        situation.cli.generation === null
          ? ` The program may not be Foundry Local's. ${installAdvice(machine, facts)}`
          : " You can also set the option `endpoint` to where it listens.";
      const check = facts.isCliSet ? "Check the path in the option `cliPath`. " : "";
      return {
        headline: "Foundry Local's command line does not say whether it runs",
        action: `${check}Try again; if that does not help, run ${inCode(situation.cli.command("status"))} in a terminal and restart Foundry Local${restart}.${otherProgram}`,
        retryable: true,
      };
    }
    case "cli_unstartable":
      return facts.isCliSet
        ? {
            headline: "The program that the option `cliPath` is set to could not be started",
            action:
              "Set the option `cliPath` to the path of Foundry Local's command line, or leave it out, so that the command line is searched for; or set the option `endpoint` to where Foundry Local listens.",
            retryable: false,
          }
        : {
            headline: "Foundry Local's command line was found, but could not be started",
            action: `Reinstall it, ${OR_SET}. ${installAdvice(machine, facts)}`,
            retryable: false,
          };
    case "embedded_later":
      return {
        headline:
          "No Foundry Local is running; foundry-local-sdk is there to run it in a child process",
        action: "Nothing to do: the next call that needs it will try to start it.",
        retryable: true,
      };
    case "embedded_missing":
      return {
        headline:
          "Foundry Local is set to run in a child process, but foundry-local-sdk is not installed",
        action: `Install it with ${sdkInstallation(facts.packageFolder ?? PACKAGE_FOLDER)}; or set the option \`embedded\` to auto to use another Foundry Local.`,
        retryable: false,
      };
    case "embedded_failed": {
      const { action, retryable } = situation.error;
      return { headline: "Foundry Local could not be run in a child process", action, retryable };
    }
  }
}

const ELSEWHERE =
  "set the option `endpoint` to the address of a Foundry Local or of any OpenAI-compatible engine";

const START = "start it with `foundry server start` (before CLI 0.10: `foundry service start`)";

/**
 * How to install a Foundry Local on this machine. For which systems there is one:
 * docs/foundry-local.md, sections 1 and 12.
 */
export function installAdvice(
  { platform, arch }: Machine,
  { mayEmbed, packageFolder = PACKAGE_FOLDER }: InstallFacts,
): string {
  const isKnownProcessor = arch === "x64" || arch === "arm64";
  const setting = mayEmbed ? "" : " and set the option `embedded` to auto";
  const embed = `install the SDK beside foundry-local-mcp, with ${sdkInstallation(packageFolder)}${setting}`;
  if (platform === "win32" && isKnownProcessor) {
    return `Install Foundry Local with \`winget install Microsoft.FoundryLocal\` and ${START}; or ${embed}; or ${ELSEWHERE}.`;
  }
  if (platform === "darwin" && arch === "x64") {
    // An x64 Node on an Apple chip reports the same, so the advice covers both.
    return `Foundry Local does not run on Macs with an Intel processor: ${ELSEWHERE}. On a Mac with an Apple chip, whose Node is built for Intel here, install it with \`${BREW}\` and ${START}.`;
  }
  if (platform === "darwin") {
    return `Install Foundry Local with \`${BREW}\` and ${START}; or ${embed}; or ${ELSEWHERE}.`;
  }
  if (platform === "linux" && isKnownProcessor) {
    // The legacy service (CLI 0.8 or before) was never built for Linux.
    return `Quickest is to ${embed}. Or unpack the Linux archive of Foundry Local's command line (0.11 or later) and run \`foundry server start\`; or ${ELSEWHERE}.`;
  }
  return `There is no Foundry Local for this system (${platform}, ${arch}): ${ELSEWHERE}.`;
}

const BREW = "brew tap microsoft/foundrylocal && brew install foundrylocal";

/** A further sentence for WSL, where a service on Windows is not reachable by default; else empty. */
function wslHint({ platform, environment }: Machine): string {
  const isWsl = platform === "linux" && (environment["WSL_DISTRO_NAME"] ?? "") !== "";
  return isWsl
    ? " This is WSL: a Foundry Local of Windows is reached from here only with mirrored networking (networkingMode=mirrored in .wslconfig); then set the option `endpoint` to the address that `foundry server status` prints on Windows."
    : "";
}
