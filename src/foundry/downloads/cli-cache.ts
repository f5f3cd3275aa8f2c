import { realpath } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { jsonFrom } from "../../json.js";
import { FILE_READ_MS } from "../../limits.js";
import { inPool, LATE } from "../../platform/pool.js";
import type { FoundryCli } from "../cli/index.js";

const TOLD_WITHIN_MS = 30_000;

const locationSchema = z.object({ path: z.string().min(1) });

/** Where the newer command line keeps models; `null` where it does not tell. */
export async function cacheOf(cli: FoundryCli, signal: AbortSignal): Promise<string | null> {
  const { end, stdout } = await cli.run(["cache", "location", "-o", "json"], {
    timeoutMs: TOLD_WITHIN_MS,
    signal,
  });
  if (end.kind !== "exited" || end.code !== 0) return null;
  // Banners and notes on progress may stand around it.
  const json = stdout.slice(stdout.indexOf("{"), stdout.lastIndexOf("}") + 1);
  return locationSchema.safeParse(jsonFrom(json)).data?.path ?? null;
}

/** Whether two paths name the same folder, as far as their spelling tells. */
export function isSamePath(one: string, other: string, platform: NodeJS.Platform): boolean {
  const { resolve } = platform === "win32" ? path.win32 : path.posix;
  const plain = (text: string): string => {
    const resolved = resolve(text.trim());
    return platform === "win32" || platform === "darwin" ? resolved.toLowerCase() : resolved;
  };
  return plain(one) === plain(other);
}

/** The same for folders of this machine, links followed. */
export async function isSameFolder(
  one: string,
  other: string,
  platform: NodeJS.Platform,
): Promise<boolean> {
  const real = async (folder: string): Promise<string> => {
    const found = await inPool(() => realpath(folder).catch(() => folder), FILE_READ_MS);
    return found === LATE ? folder : found;
  };
  return isSamePath(await real(one), await real(other), platform);
}
