import { spawn } from "node:child_process";
import { hostname } from "node:os";
import path from "node:path";
import { FoundryClient } from "../jobs/index.js";
import {
  Keeping,
  type Kept,
  NOTHING_KEPT,
  runKeeper,
  type SettingsSource,
} from "../keeper/index.js";
import { PACKAGE_FOLDER } from "../lib/index.js";
import { type Logger, silentLogger } from "../log.js";
import {
  type KeeperAddress,
  keeperAddress,
  keepHeapSmall,
  ownUid,
  thisMachine,
} from "../platform/index.js";
import { passedSettings, readSettings, type Settings, withoutSettings } from "../settings.js";
import { clientOptions } from "./client-options.js";

export const ownKeeperAddress = (): KeeperAddress =>
  keeperAddress(thisMachine(), ownUid(), hostname());

/** What a server keeps beyond its process, by its settings. */
export function keepingOf(
  settings: Settings,
  flags: readonly string[],
  { client, log }: { readonly client: FoundryClient; readonly log: Logger },
): Kept {
  const { FOUNDRY_KEEP: setting = "auto" } = settings;
  if (setting === "never") return NOTHING_KEPT;
  return new Keeping({
    client,
    log,
    address: ownKeeperAddress(),
    settings: { ...passedSettings(flags, process.env), ...folderFor(settings) },
    keptMs: setting === "auto" ? undefined : setting * 1000,
    start: startKeeper,
  });
}

/** The member of the settings for the keeper that is the folder of the server. */
const FOLDER_OF_SETTINGS = "folder";

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

/** The keeper of this user: a server starts it, and it ends by itself. Its log has no reader. */
export async function keep(): Promise<number> {
  // A defect in one of the things that it holds does not end the others.
  process.on("unhandledRejection", () => {});
  keepHeapSmall();
  await runKeeper({ address: ownKeeperAddress(), clientOf });
  return 0;
}

const clientOf = ({ [FOLDER_OF_SETTINGS]: folder, ...settings }: SettingsSource): FoundryClient =>
  new FoundryClient(clientOptions(readSettings([], settings), silentLogger), {
    ...thisMachine(),
    folder,
  });
