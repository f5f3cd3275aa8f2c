import { PACKAGE_FOLDER } from "../../lib/index.js";
import type { Machine } from "../../platform/index.js";
import { sdkInstallation } from "../embedded/index.js";

export interface InstallFacts {
  /** Whether the settings allow the embedded service. */
  readonly mayEmbed: boolean;
  /** This package's folder. Tests set another. */
  readonly packageFolder?: string;
}

const ELSEWHERE =
  "set the option `endpoint` to the address of a Foundry Local or of any OpenAI-compatible engine";

const START = "start it with `foundry server start` (before CLI 0.10: `foundry service start`)";

/**
 * How to install a Foundry Local on this machine. For which systems there is one:
 * docs/foundry-local.md, sections 1 and 12.
 */
export function installAdvice(machine: Machine, facts: InstallFacts): string {
  return `${installation(machine, facts)}${wslHint(machine)}`;
}

function installation(
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
export function wslHint({ platform, environment }: Machine): string {
  const isWsl = platform === "linux" && (environment["WSL_DISTRO_NAME"] ?? "") !== "";
  return isWsl
    ? " This is WSL: a Foundry Local of Windows is reached from here only with mirrored networking (networkingMode=mirrored in .wslconfig); then set the option `endpoint` to the address that `foundry server status` prints on Windows."
    : "";
}
