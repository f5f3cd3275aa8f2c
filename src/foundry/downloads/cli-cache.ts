import { realpath } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { FILE_READ_MS, jsonFrom } from "../../lib/index.js";
import { inPool, LATE } from "../../platform/index.js";
import type { FoundryCli } from "../cli/index.js";

const TOLD_WITHIN_MS = 30_000;

const locationSchema = z.object({ path: z.string().min(1) });

/** Where the newer command line keeps models, as far as it tells. */
export type CacheTold =
  | { readonly kind: "folder"; readonly path: string }
  /** It tells, in letters that cannot be read: in the code page of a Windows console. */
  | { readonly kind: "unreadable" }
  | { readonly kind: "nothing" };

export async function cacheOf(
  cli: FoundryCli,
  signal: AbortSignal,
  platform: NodeJS.Platform,
): Promise<CacheTold> {
  const { end, stdout } = await cli.run(["cache", "location", "-o", "json"], {
    timeoutMs: TOLD_WITHIN_MS,
    signal,
  });
  if (end.kind !== "exited" || end.code !== 0) return { kind: "nothing" };
  // Banners and notes on progress may stand around it.
  const json = stdout.slice(stdout.indexOf("{"), stdout.lastIndexOf("}") + 1);
  const value = jsonFrom(json);
  const path = locationSchema.safeParse(value).data?.path;
  if (path !== undefined) return { kind: "folder", path };
  // In some code pages the second byte of a letter is a backslash, which breaks JSON.
  const isUnreadable = platform === "win32" && value === undefined && /"path"\s*:/.test(json);
  return { kind: isUnreadable ? "unreadable" : "nothing" };
}

/**
 * Whether two paths name the same folder, as far as their spelling tells. On Windows a program may have
 * written its letters beyond ASCII in the code page of a console, which are read as `\ufffd`, or have
 * put `?` for those that it lacks: either stands for any number of them.
 */
export function isSamePath(one: string, other: string, platform: NodeJS.Platform): boolean {
  const { resolve } = platform === "win32" ? path.win32 : path.posix;
  const plain = (text: string): string => {
    const resolved = resolve(text.trim());
    return platform === "win32" || platform === "darwin" ? resolved.toLowerCase() : resolved;
  };
  const [first, second] = [plain(one), plain(other)];
  if (first === second || platform !== "win32") return first === second;
  return UNREADABLE.test(second)
    ? fits(first, second)
    : UNREADABLE.test(first) && fits(second, first);
}

const UNREADABLE = /[\ufffd?]/;

/** Whether a path is the same as one in which letters were unreadable. */
function fits(path: string, unreadable: string): boolean {
  const blurred = (text: string): string => text.replace(/(?:[^ -~]|\?)+/g, "?");
  return blurred(path) === blurred(unreadable);
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
