import path from "node:path";
import { pathAsTyped, windowsPathEntries, withoutQuotes } from "./executables.js";
import type { Machine } from "./machine.js";

/** What stands between two folders of a list. */
export const folderSeparator = (platform: NodeJS.Platform): ":" | ";" =>
  platform === "win32" ? ";" : ":";

/**
 * The absolute paths of a list of folders that is separated as PATH is; `null` where one of them is
 * relative. The folder in which a host starts a server is not known to its user.
 */
export function foldersIn(text: string, machine: Machine): readonly string[] | null {
  const onWindows = machine.platform === "win32";
  const entries = (onWindows ? windowsPathEntries(text) : text.split(":"))
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
  const isAbsolute = (entry: string): boolean =>
    onWindows ? isOnWindowsVolume(entry) || entry.startsWith("%") : entry.startsWith("/");
  const plain = entries.map(withoutQuotes);
  if (!plain.every((entry) => isAbsolute(entry) || /^~(?:[\\/]|$)/.test(entry))) return null;
  const folders = plain.map((entry) => pathAsTyped(entry === "~" ? "~/" : entry, machine));
  if (onWindows && !folders.every(isOnWindowsVolume)) return null;
  // A variable of Windows that is not set stays as it is, and Windows takes it for a relative path.
  const isUnset = (folder: string, index: number): boolean => {
    const [variable] = /^%[^%]+%/.exec(plain[index] ?? "") ?? [];
    return variable !== undefined && folder.includes(variable);
  };
  if (onWindows && folders.some(isUnset)) return null;
  const { resolve } = onWindows ? path.win32 : path.posix;
  return [...new Set(folders.map((folder) => resolve(folder)))];
}

/** With a drive and a root, or on a share; not `C:notes`, which depends on the drive's current folder. */
const isOnWindowsVolume = (folder: string): boolean =>
  /^(?:[a-z]:[\\/]|[\\/]{2}[^\\/?.])/i.test(folder);
