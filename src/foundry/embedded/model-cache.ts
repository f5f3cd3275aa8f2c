import { stat } from "node:fs/promises";
import path from "node:path";
import { FILE_READ_MS } from "../../lib/index.js";
import { inPool, LATE, type Machine, ownDirectory } from "../../platform/index.js";

/**
 * Where the embedded service keeps its models. By itself the SDK gives each application a cache of
 * its own; where the command line has one, that is used, so that what is there has not to be
 * downloaded again, gigabytes at a time. Else our own, since a folder of the command line's that we
 * made would look like an installation of it.
 */
export async function modelCacheOf(machine: Machine): Promise<string> {
  const { join } = machine.platform === "win32" ? path.win32 : path.posix;
  const ofCommandLine = join(machine.home, ".foundry", "cache", "models");
  if (await isFolder(ofCommandLine)) return ofCommandLine;
  return join(ownDirectory(machine), "cache", "models");
}

async function isFolder(folder: string): Promise<boolean> {
  const facts = await inPool(() => stat(folder).catch(() => null), FILE_READ_MS);
  return facts !== LATE && facts?.isDirectory() === true;
}
