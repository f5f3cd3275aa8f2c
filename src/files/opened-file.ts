import { type BigIntStats, constants } from "node:fs";
import { lstat, open, readlink, realpath, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { MOST_LINKS, systemCodeOf } from "../lib/index.js";
import { readAtMost } from "../platform/index.js";
import { insideOf, isPlainName, isSystemPath, type Root, type Target } from "./paths.js";

/** A path without links, inside an allowed folder. */
export interface Place {
  readonly path: string;
  readonly stats: BigIntStats;
}

/** Why a path cannot be read or written. `outside` says nothing of what is there. */
export type PathFault =
  | "absent"
  | "outside"
  | "forbidden"
  | "unreadable"
  | "folder"
  | "not_ordinary"
  | "too_large"
  | "exists"
  | "no_folder"
  /** Another program put something else there while it was opened. */
  | "changed";

export class PathError extends Error {
  /** @param size Bytes of a file that is too large. */
  constructor(
    readonly fault: PathFault,
    readonly size = 0,
  ) {
    super(fault);
  }
}

const { platform } = process;

/**
 * Follows a path part by part from an allowed folder. Each link is read and followed only where its target
 * lies in an allowed folder, so that nothing outside is ever asked.
 *
 * @throws PathError, and what the system says.
 */
export async function placeOf({ root, parts }: Target, roots: readonly Root[]): Promise<Place> {
  let at = root.real;
  let left = parts;
  let links = 0;
  let stats = await ownStats(at);
  while (left.length > 0) {
    const [name = "", ...rest] = left;
    if (!isPlainName(name, platform)) throw new PathError("outside");
    const next = join(at, name);
    stats = await ownStats(next);
    if (stats.isSymbolicLink()) {
      links += 1;
      if (links > MOST_LINKS) throw new PathError("absent");
      const target = insideOf(resolve(at, await readlink(next)), roots);
      if (target === null) throw new PathError("outside");
      at = target.root.real;
      left = [...target.parts, ...rest];
      stats = await ownStats(at);
    } else {
      at = next;
      left = rest;
    }
  }
  return { path: at, stats };
}

function ownStats(path: string): Promise<BigIntStats> {
  if (isSystemPath(path, platform)) throw new PathError("outside");
  return lstat(path, { bigint: true });
}

/** The path of a folder without links; `null` where it does not exist. */
export async function realFolder(folder: string): Promise<string | null> {
  try {
    const real = await realpath(folder);
    return (await stat(real)).isDirectory() ? real : null;
  } catch {
    return null;
  }
}

const CODES: Readonly<Record<string, PathFault>> = {
  ENOENT: "absent",
  ENOTDIR: "absent",
  ENAMETOOLONG: "absent",
  EACCES: "forbidden",
  EPERM: "forbidden",
  // Of an open: a link lies there now.
  ELOOP: "changed",
};

/** An error of the system is no defect of ours: a full disk, a folder without rights. */
export function asPathError(thrown: unknown): never {
  if (!(thrown instanceof Error && "syscall" in thrown)) throw thrown;
  throw new PathError(CODES[systemCodeOf(thrown) ?? ""] ?? "unreadable");
}

/** Windows has none of them; there, `lstat` before it shows links and devices. */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0);

/**
 * The bytes of an ordinary file of a bounded size. The path is followed again after the file was opened:
 * what was opened must still be what lies there, or a link was put in its way.
 *
 * @throws PathError, and what the system says.
 */
export async function readInside(
  target: Target,
  roots: readonly Root[],
  maxBytes: number,
): Promise<Buffer> {
  const before = await placeOf(target, roots);
  // Before it is opened: to open a device does something already.
  if (before.stats.isDirectory()) throw new PathError("folder");
  if (!before.stats.isFile()) throw new PathError("not_ordinary");
  if (before.stats.size > maxBytes) throw new PathError("too_large", Number(before.stats.size));
  const file = await open(before.path, FLAGS);
  try {
    const opened = await file.stat({ bigint: true });
    const after = await placeOf(target, roots);
    const isSame = after.path === before.path && isSameFile(opened, after.stats);
    if (!isSame || !isSameFile(opened, before.stats)) throw new PathError("changed");
    if (!opened.isFile()) throw new PathError("not_ordinary");
    const bytes = await readAtMost(file, maxBytes);
    // It has grown since.
    if (bytes === null) throw new PathError("too_large", maxBytes + 1);
    return bytes;
  } finally {
    await file.close();
  }
}

/** On Windows, the two calls do not give the same number for one volume in every version of Node. */
export const isSameFile = (one: BigIntStats, other: BigIntStats): boolean =>
  one.ino === other.ino && (platform === "win32" || one.dev === other.dev);
