import { spawn } from "node:child_process";
import { hostname } from "node:os";
import path from "node:path";
import type { FoundryClient } from "../jobs/index.js";
import { Keeping, type Kept, NOTHING_KEPT } from "../keeper/index.js";
import { PACKAGE_FOLDER } from "../lib/index.js";
import type { Logger } from "../log.js";
import { type KeeperAddress, keeperAddress, ownUid, thisMachine } from "../platform/index.js";
import { passedSettings, type Settings, withoutSettings } from "../settings.js";

export const ownKeeperAddress = (): KeeperAddress =>
  keeperAddress(thisMachine(), ownUid(), hostname());

/** What a server keeps beyond its process, by its settings. */
export function keepingOf(
  settings: Settings,
  flags: readonly string[],
  { client, log }: { readonly client: FoundryClient; readonly log: Logger },
): Kept {
  const { FOUNDRY_KEEP: keep = "auto" } = settings;
  if (keep === "never") return NOTHING_KEPT;
  return new Keeping({
    client,
    log,
    address: ownKeeperAddress(),
    settings: { ...passedSettings(flags, process.env), ...folderFor(settings) },
    keptMs: keep === "auto" ? undefined : keep * 1000,
    start: startKeeper,
  });
}

/** The member of the settings for the keeper that is the folder of the server. */
export const FOLDER_OF_SETTINGS = "folder";

/** The folder, where the client depends on it: the keeper runs in another one. */
function folderFor({ FOUNDRY_EMBEDDED: embedded, FOUNDRY_CLI: cli }: Settings): {
  readonly [FOLDER_OF_SETTINGS]?: string;
} {
  const isRelative = cli !== undefined && /[\\/]/.test(cli) && !path.isAbsolute(cli);
  return embedded === true || isRelative ? { [FOLDER_OF_SETTINGS]: process.cwd() } : {};
}

/**
 * Starts a keeper that outlives this process and its host: with neither its pipes nor its console, nor
 * its folder, which Windows would not let the user remove.
 */
function startKeeper(): Promise<void> {
  const child = spawn(process.execPath, [path.join(PACKAGE_FOLDER, "dist", "main.js"), "keep"], {
    cwd: path.dirname(process.execPath),
    env: withoutSettings(process.env),
    detached: true,
    stdio: "ignore",
    windowsHide: true,
  });
  child.unref();
  return new Promise((resolve) => {
    child.once("error", () => resolve());
    child.once("exit", () => resolve());
  });
}
