import { stat } from "node:fs/promises";
import path from "node:path";
import { FILE_READ_MS } from "../../lib/index.js";
import { inPool, LATE, type Machine, ownDirectory } from "../../platform/index.js";

/**
 * The model cache of the embedded service. By default the SDK has one cache per application. If the
 * command line's cache exists, it is used, so that its models are not downloaded again. Otherwise it
 * is our own: a folder at the command line's place would look like an installation of it.
 */
export async function modelCacheOf(machine: Machine): Promise<string> {
  const { join } = machine.platform === "win32" ? path.win32 : path.posix;
  const cliCache = join(machine.home, ".foundry", "cache", "models");
  if (await isFolder(cliCache)) return cliCache;
  return join(ownDirectory(machine), "cache", "models");
}

async function isFolder(folder: string): Promise<boolean> {
  const facts = await inPool(() => stat(folder).catch(() => null), FILE_READ_MS);
  return facts !== LATE && facts?.isDirectory() === true;
}
