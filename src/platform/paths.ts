import { constants } from "node:fs";
import { access, lstat, stat } from "node:fs/promises";
import path from "node:path";
import type { Machine } from "./machine.js";

/** How paths are written on a system. */
export const pathsOf = (platform: NodeJS.Platform): path.PlatformPath =>
  platform === "win32" ? path.win32 : path.posix;

/**
 * Where a program of this name would be, likeliest first: the folders of PATH, then those that
 * programs are installed into and that a host started from a desktop often lacks in its PATH.
 *
 * Our own rather than the package `which`, which asks `process.platform`, looks into relative
 * entries and, on Windows, into the current folder first: a project's folder could plant a program.
 */
export function executableCandidates(name: string, machine: Machine): string[] {
  return machine.platform === "win32"
    ? windowsCandidates(name, machine)
    : posixCandidates(name, machine);
}

/** The first of them that is there and may be executed; `null` where none is. */
export async function firstExecutable(
  candidates: readonly string[],
  platform: NodeJS.Platform,
): Promise<string | null> {
  for (const candidate of candidates) {
    if (await (platform === "win32" ? isThere(candidate) : isExecutable(candidate))) {
      return candidate;
    }
  }
  return null;
}

/**
 * A path as people write it into settings, where no shell takes off quotes (`"C:\\…"` is what the
 * Explorer's "Copy as path" gives) or replaces `~` and, on Windows, `%USERPROFILE%`.
 */
export function pathAsTyped(
  typed: string,
  { platform, home, folder = "", environment }: Machine,
): string {
  const onWindows = platform === "win32";
  const { join, resolve } = pathsOf(platform);
  const plain = withoutQuotes(typed);
  const text = onWindows ? withWindowsVariables(plain, environment) : plain;
  return /^~[\\/]/.test(text) ? join(home, text.slice(2)) : resolve(folder, text);
}

/** Without the quotes around the whole of it. */
export const withoutQuotes = (typed: string): string =>
  /^\s*(["'])(.+)\1\s*$/.exec(typed)?.[2] ?? typed;

function posixCandidates(name: string, { platform, environment, home }: Machine): string[] {
  const { join, isAbsolute } = path.posix;
  const usual =
    platform === "darwin"
      ? // Homebrew on Apple silicon; Homebrew on Intel, and installers; for one user; MacPorts.
        ["/opt/homebrew/bin", "/usr/local/bin", join(home, ".local", "bin"), "/opt/local/bin"]
      : // Unpacked for all users; for one; Homebrew on Linux.
        ["/usr/local/bin", join(home, ".local", "bin"), "/home/linuxbrew/.linuxbrew/bin"];
  const folders = [...(environment["PATH"] ?? "").split(":"), ...usual];
  // An empty entry means the current folder.
  const paths = folders.filter((folder) => isAbsolute(folder)).map((folder) => join(folder, name));
  return [...new Set(paths)];
}

function windowsCandidates(name: string, { environment, home }: Machine): string[] {
  const { join } = path.win32;
  // Some hosts hand on few variables.
  const local = windowsVariable(environment, "LOCALAPPDATA") ?? join(home, "AppData", "Local");
  // The aliases of installed packages, and the links that winget makes.
  const usual = [
    join(local, "Microsoft", "WindowsApps"),
    join(local, "Microsoft", "WinGet", "Links"),
  ];
  const folders = [...windowsPathEntries(windowsVariable(environment, "PATH") ?? ""), ...usual];
  const endings = windowsEndings(windowsVariable(environment, "PATHEXT") ?? "");
  const paths = folders
    .filter(isOnADrive)
    .flatMap((folder) => endings.map((ending) => join(folder, `${name}${ending}`)));
  const seen = new Map(paths.map((each) => [each.toLowerCase(), each]));
  return [...seen.values()];
}

/** Entries may be quoted, and quoted ones may hold the semicolon that parts them. */
function windowsPathEntries(value: string): string[] {
  const entries = value.match(/(?:"[^"]*"?|[^;"])+/g) ?? [];
  return entries.map((entry) => entry.replaceAll('"', "").trim());
}

/** Of what Windows takes for a program only what runs without a shell. */
function windowsEndings(pathExt: string): string[] {
  const listed = pathExt.toLowerCase().split(";");
  const endings = listed.filter((ending) => ending === ".exe" || ending === ".com");
  return endings.length === 0 ? [".exe"] : [...new Set(endings)];
}

/** Not on a share of another machine, which holds up a search for half a minute when it is away. */
const isOnADrive = (folder: string): boolean => /^[a-z]:[\\/]/i.test(folder);

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

/** Aliases in WindowsApps can be started but not followed: only a look at themselves succeeds. */
async function isThere(file: string): Promise<boolean> {
  try {
    return !(await lstat(file)).isDirectory();
  } catch {
    return false;
  }
}

/** Windows takes `Path` and `PATH` for the same, a copy of its variables does not. */
function windowsVariable(environment: Machine["environment"], name: string): string | undefined {
  const key = Object.keys(environment).find((each) => each.toUpperCase() === name);
  return key === undefined ? undefined : environment[key];
}

/**
 * The full path of a program of Windows itself, below `System32`. By its name alone Windows looks for
 * it in the current folder first, which for a server is the folder that an editor has open.
 */
export function windowsProgram(name: string, environment: Machine["environment"]): string {
  const given = windowsVariable(environment, "SYSTEMROOT");
  const root = given !== undefined && /^[a-z]:[\\/]/i.test(given) ? given : "C:\\Windows";
  return path.win32.join(root, "System32", name);
}

/** `%NAME%` replaced as the Explorer does it; one that is not set stays as it is. */
const withWindowsVariables = (text: string, environment: Machine["environment"]): string =>
  text.replace(/%([^%\\/:]+)%/g, (whole, name: string) => {
    return windowsVariable(environment, name.toUpperCase()) ?? whole;
  });

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
  const { resolve } = pathsOf(machine.platform);
  return [...new Set(folders.map((folder) => resolve(folder)))];
}

/** With a drive and a root, or on a share; not `C:notes`, which depends on the drive's current folder. */
const isOnWindowsVolume = (folder: string): boolean =>
  /^(?:[a-z]:[\\/]|[\\/]{2}[^\\/?.])/i.test(folder);
