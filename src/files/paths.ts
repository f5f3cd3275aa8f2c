import { resolve } from "node:path";
import { pathsOf } from "../platform/index.js";

/**
 * What a path means by its text alone: names and absolute paths for each operating system, places in the
 * allowed folders for this one. Nothing here asks the disk, so that a path outside the allowed folders is
 * refused before anything outside is touched.
 */

const ownPlatform = process.platform;

/** The way from a folder to a path inside it, in parts; `null` for a path outside. */
export function partsInside(
  folder: string,
  target: string,
  platform: NodeJS.Platform,
): readonly string[] | null {
  const { relative, isAbsolute, sep } = pathsOf(platform);
  const way = relative(folder, target);
  if (isAbsolute(way)) return null;
  const parts = way.split(sep).filter((part) => part !== "");
  return parts[0] === ".." ? null : parts;
}

/** Devices of Windows, which exist in every folder, with any extension. */
const WINDOWS_DEVICE =
  /^(?:con|prn|aux|nul|conin\$|conout\$|clock\$|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3])$/i;

/** Whether a part of a path can be the name of an ordinary file or folder. */
export function isPlainName(name: string, platform: NodeJS.Platform): boolean {
  if (name.includes("\0")) return false;
  if (platform !== "win32") return true;
  // A colon begins the name of an alternate data stream. Dots and blanks at the end are dropped.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: Windows allows none of them in a name
  if (/[<>:"|?*\u0000-\u001f]/.test(name) || /[. ]$/.test(name)) return false;
  return !WINDOWS_DEVICE.test(name.split(".")[0]?.trimEnd() ?? "");
}

/**
 * Whether a new file or its folder may have this name. Files such as `.git/hooks/…` and `.envrc` are run by
 * other programs. On Windows, `GIT~1` is `.git`, too.
 */
export const isWritableName = (name: string, platform: NodeJS.Platform): boolean =>
  isPlainName(name, platform) &&
  !name.startsWith(".") &&
  !(platform === "win32" && /~\d/.test(name));

/** Where the system keeps no files but itself: a read can have effects, or give secrets of processes. */
export const isSystemPath = (target: string, platform: NodeJS.Platform): boolean =>
  platform !== "win32" && /^\/(?:proc|sys|dev)(?:\/|$)/.test(target);

/**
 * Whether a path begins at the root of a disk or of a share. `null` where it depends on the state of a
 * process (`C:notes`, `\notes` on Windows) or names a device (`\\?\…`, `\\.\…`).
 */
export function isAbsolutePath(text: string, platform: NodeJS.Platform): boolean | null {
  if (platform !== "win32") return text.startsWith("/");
  if (/^[\\/]{2}[^\\/?.]/.test(text) || /^[a-z]:[\\/]/i.test(text)) return true;
  return /^[\\/]|^[a-z]:/i.test(text) ? null : false;
}

/** A folder that the user allowed. */
export interface Root {
  /** As the user wrote it. */
  readonly folder: string;
  /** Without links. */
  readonly real: string;
  /** Paths that results show begin with it; `null` where there is one folder. */
  readonly name: string | null;
}

/** A path by its parts, inside an allowed folder. */
export interface Target {
  readonly root: Root;
  readonly parts: readonly string[];
}

/** The last parts of each folder, as few as make it different from the others. */
export function namesOf(folders: readonly string[]): string[] {
  const parts = folders.map((folder) => folder.split(/[\\/]/).filter((part) => part !== ""));
  return parts.map((own, at) => {
    const others = parts.filter((_, index) => index !== at);
    const isSame = (count: number): boolean =>
      others.some((other) => endOf(other, count) === endOf(own, count));
    let count = 1;
    while (count < own.length && isSame(count)) count += 1;
    return endOf(own, count);
  });
}

const endOf = (parts: readonly string[], count: number): string => parts.slice(-count).join("/");

/** The first allowed folder that a path without `.` and `..` lies in, by its text. */
export function insideOf(target: string, roots: readonly Root[]): Target | null {
  for (const root of roots) {
    const parts =
      partsInside(root.folder, target, ownPlatform) ?? partsInside(root.real, target, ownPlatform);
    if (parts !== null) return { root, parts };
  }
  return null;
}

/** Where a path may be, by its text alone. None: outside of all folders. */
export function targetsOf(given: string, roots: readonly Root[]): readonly Target[] {
  const isAbsolute = isAbsolutePath(given, ownPlatform);
  if (isAbsolute === null) return [];
  if (!isAbsolute) {
    // As results show paths, then in each folder, then behind the name of a single one, which errors show.
    return [
      ...roots.flatMap((root) => namedTargets(root, root.name, given)),
      ...roots.flatMap((root) => targetsIn(root, given)),
      ...roots
        .filter(({ name }) => name === null)
        .flatMap((root) => namedTargets(root, namesOf([root.folder])[0] ?? null, given)),
    ];
  }
  const inside = insideOf(resolve(given), roots);
  return inside === null ? [] : [inside];
}

/** A path that begins with the name of the folder. */
function namedTargets(root: Root, name: string | null, given: string): Target[] {
  if (name === null || !`${given}/`.startsWith(`${name}/`)) return [];
  return targetsIn(root, `./${given.slice(name.length + 1)}`);
}

function targetsIn(root: Root, given: string): Target[] {
  const parts = partsInside(root.real, resolve(root.real, given), ownPlatform);
  return parts === null ? [] : [{ root, parts }];
}
