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
  { FOUNDRY_KEEP: keep = "auto" }: Settings,
  flags: readonly string[],
  { client, log }: { readonly client: FoundryClient; readonly log: Logger },
): Kept {
  if (keep === "never") return NOTHING_KEPT;
  return new Keeping({
    client,
    log,
    address: ownKeeperAddress(),
    settings: passedSettings(flags, process.env),
    keptMs: keep === "auto" ? undefined : keep * 1000,
    start: startKeeper,
  });
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
