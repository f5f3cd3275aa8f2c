import {
  executableCandidates,
  firstExecutable,
  type Machine,
  pathAsTyped,
  withoutQuotes,
} from "../../platform/index.js";
import type { FoundryCli } from "./contract.js";
import { InstalledCli } from "./installed-cli.js";

/**
 * The command line of this machine, or `null` where there is none.
 *
 * @param configured What the user set. A path is used instead of any search and is not checked: what
 *   is wrong with it shows in what its commands report. A mere name is looked for as `foundry` is,
 *   never in the folder we are in.
 */
export async function findFoundryCli(
  machine: Machine,
  configured = "foundry",
): Promise<FoundryCli | null> {
  const path = /[\\/]/.test(configured)
    ? pathAsTyped(configured, machine)
    : await firstExecutable(
        executableCandidates(withoutQuotes(configured).replace(/\.(?:exe|com)$/i, ""), machine),
        machine.platform,
      );
  return path === null ? null : new InstalledCli(path, machine);
}
