import path from "node:path";

/**
 * What a path means by its text alone, for each operating system. Nothing here asks the disk, so that a
 * path outside the allowed folders is refused before anything outside is touched.
 */

export const pathsOf = (platform: NodeJS.Platform): path.PlatformPath =>
  platform === "win32" ? path.win32 : path.posix;

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
