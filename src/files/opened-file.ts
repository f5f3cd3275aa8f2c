import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, lstat, open, readlink, realpath, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { MOST_LINKS, systemCodeOf } from "../lib/index.js";
import { insideOf, isPlainName, isSystemPath, type Root } from "./paths.js";

/** A path without links, inside an allowed folder. */
export interface Place {
  readonly path: string;
  readonly stats: BigIntStats;
}

/** Why there is no such place. `outside` says nothing of what is there. */
export type PlaceFault = "absent" | "outside" | "forbidden" | "unreadable";

export class NoPlace extends Error {
  constructor(readonly fault: PlaceFault) {
    super(fault);
  }
}

const { platform } = process;

/**
 * Follows a path part by part from an allowed folder. Each link is read and followed only where its target
 * lies in an allowed folder, so that nothing outside is ever asked.
 *
 * @throws NoPlace
 */
export async function placeOf(
  root: Root,
  parts: readonly string[],
  roots: readonly Root[],
): Promise<Place> {
  try {
    return await followed(root.real, parts, roots);
  } catch (thrown) {
    throw thrown instanceof NoPlace ? thrown : new NoPlace(faultOf(thrown));
  }
}

async function followed(
  start: string,
  parts: readonly string[],
  roots: readonly Root[],
): Promise<Place> {
  let at = start;
  let left = [...parts];
  let links = 0;
  let stats = await ownStats(at);
  while (left.length > 0) {
    const [name = "", ...rest] = left;
    if (!isPlainName(name, platform)) throw new NoPlace("outside");
    const next = join(at, name);
    stats = await ownStats(next);
    if (stats.isSymbolicLink()) {
      links += 1;
      if (links > MOST_LINKS) throw new NoPlace("absent");
      const target = insideOf(resolve(at, await readlink(next)), roots);
      if (target === null) throw new NoPlace("outside");
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
  if (isSystemPath(path, platform)) throw new NoPlace("outside");
  return lstat(path, { bigint: true });
}

/** The folder without links; `null` where it does not exist. */
export async function rootOf(folder: string, name: string | null): Promise<Root | null> {
  try {
    const real = await realpath(folder);
    return (await stat(real)).isDirectory() ? { folder, real, name } : null;
  } catch {
    return null;
  }
}

const CODES: Readonly<Record<string, PlaceFault>> = {
  ENOENT: "absent",
  ENOTDIR: "absent",
  ENAMETOOLONG: "absent",
  EACCES: "forbidden",
  EPERM: "forbidden",
};

function faultOf(thrown: unknown): PlaceFault {
  return CODES[systemCodeOf(thrown) ?? ""] ?? "unreadable";
}

export const isOfSystem = (thrown: unknown): boolean =>
  thrown instanceof Error && "syscall" in thrown;

/** Windows has none of them; there, `lstat` before it shows links and devices. */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0);

export type ReadOutcome =
  | { readonly bytes: Buffer }
  | { readonly fault: "folder" | "not_ordinary" | "changed" }
  | { readonly fault: "too_large"; readonly size: number };

/**
 * The bytes of an ordinary file of a bounded size. The path is followed again after the file was opened:
 * what was opened must still be what lies there, or a link was put in its way.
 *
 * @throws NoPlace
 */
export async function readInside(
  root: Root,
  parts: readonly string[],
  roots: readonly Root[],
  maxBytes: number,
): Promise<ReadOutcome> {
  const before = await placeOf(root, parts, roots);
  // Before it is opened: to open a device does something already.
  const fault = faultOfKind(before.stats);
  if (fault !== null) return { fault };
  if (before.stats.size > maxBytes) return { fault: "too_large", size: Number(before.stats.size) };
  let file: FileHandle;
  try {
    file = await open(before.path, FLAGS);
  } catch (thrown) {
    // A link.
    if (systemCodeOf(thrown) === "ELOOP") return { fault: "changed" };
    throw new NoPlace(faultOf(thrown));
  }
  try {
    const opened = await file.stat({ bigint: true });
    const after = await placeOf(root, parts, roots);
    const isSame = after.path === before.path && isSameFile(opened, after.stats);
    if (!isSame || !isSameFile(opened, before.stats)) return { fault: "changed" };
    if (!opened.isFile()) return { fault: "not_ordinary" };
    return await readOpen(file, maxBytes);
  } finally {
    await file.close();
  }
}

function faultOfKind(stats: BigIntStats): "folder" | "not_ordinary" | null {
  if (stats.isFile()) return null;
  return stats.isDirectory() ? "folder" : "not_ordinary";
}

/** On Windows, the two calls do not give the same number for one volume in every version of Node. */
export const isSameFile = (one: BigIntStats, other: BigIntStats): boolean =>
  one.ino === other.ino && (platform === "win32" || one.dev === other.dev);

const PIECE = 64 * 1024;

/** Its size is not believed: the file may grow. */
async function readOpen(file: FileHandle, maxBytes: number): Promise<ReadOutcome> {
  const pieces: Buffer[] = [];
  let length = 0;
  while (length <= maxBytes) {
    const size = Math.min(PIECE, maxBytes + 1 - length);
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(size), 0, size, null);
    if (bytesRead === 0) return { bytes: Buffer.concat(pieces) };
    pieces.push(buffer.subarray(0, bytesRead));
    length += bytesRead;
  }
  return { fault: "too_large", size: length };
}
