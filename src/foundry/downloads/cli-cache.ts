import { realpath } from "node:fs/promises";
import * as z from "zod";
import { FILE_READ_MS } from "../../lib/index.js";
import { inPool, LATE, pathsOf } from "../../platform/index.js";
import { type FoundryCli, jsonObjectsIn } from "../cli/index.js";

const ANSWER_MS = 30_000;

const locationSchema = z.object({ path: z.string().min(1) });

/** Where the newer command line stores models, as far as it says. */
type CliCache =
  | { readonly kind: "folder"; readonly path: string }
  /** It prints a path that cannot be decoded: in the code page of a Windows console. */
  | { readonly kind: "unreadable" }
  | { readonly kind: "unknown" };

export async function cacheOf(
  cli: FoundryCli,
  signal: AbortSignal,
  platform: NodeJS.Platform,
): Promise<CliCache> {
  const { end, stdout } = await cli.run(["cache", "location", "-o", "json"], {
    timeoutMs: ANSWER_MS,
    signal,
  });
  if (end.kind !== "exited" || end.code !== 0) return { kind: "unknown" };
  const values = [...jsonObjectsIn(stdout)];
  const found = values.flatMap((value) => locationSchema.safeParse(value).data ?? []).at(-1);
  if (found !== undefined) return { kind: "folder", path: found.path };
  // In some code pages the second byte of a letter is a backslash, which breaks JSON.
  const isRead = values.some((value) => "path" in Object(value));
  const isUnreadable = platform === "win32" && !isRead && /"path"\s*:/.test(stdout);
  return { kind: isUnreadable ? "unreadable" : "unknown" };
}

/**
 * Whether two paths name the same folder, by their spelling. On Windows a program may print letters
 * beyond ASCII in the code page of a console, which are decoded as `\ufffd`, or replace those that the
 * code page lacks by `?`: either matches any number of letters.
 */
export function isSamePath(one: string, other: string, platform: NodeJS.Platform): boolean {
  const { resolve } = pathsOf(platform);
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

/** Whether a path matches one with unreadable letters. */
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
