import { randomUUID } from "node:crypto";
import { type BigIntStats, constants } from "node:fs";
import { link, lstat, open, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { systemCodeOf } from "../lib/index.js";
import { isSameFile, PathError, type Place, placeOf } from "./opened-file.js";
import type { Root, Target } from "./paths.js";

/** A file that is to be made in a folder, which must exist. */
export interface NewFile {
  readonly folder: Target;
  readonly name: string;
}

/** The folder of a new file, where nothing has its name. @throws PathError, and what the system says. */
export async function freePlace(file: NewFile, roots: readonly Root[]): Promise<Place> {
  const folder = await placeOf(file.folder, roots);
  if (!folder.stats.isDirectory()) throw new PathError("no_folder");
  // A link that leads nowhere is a name that is taken, too.
  if ((await ownStats(join(folder.path, file.name))) !== null) throw new PathError("exists");
  return folder;
}

const FLAGS =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);
const PRIVATE = 0o600;

/**
 * Writes a file under another name beside its own, and gives it its name when it is whole. Nothing is
 * written before it is certain that the file lies in the allowed folder, and no file is replaced.
 *
 * @throws PathError, and what the system says.
 */
export async function writeNew(file: NewFile, text: string, roots: readonly Root[]): Promise<void> {
  const folder = await freePlace(file, roots);
  const temporary = join(folder.path, `.${randomUUID()}.tmp`);
  const target = join(folder.path, file.name);
  const handle = await open(temporary, FLAGS, PRIVATE);
  let made: BigIntStats | null = null;
  try {
    made = await handle.stat({ bigint: true });
    if (!(await isStillThere(file, folder, temporary, made, roots))) throw new PathError("changed");
    await handle.writeFile(text, "utf8");
    // Whole on the disk before it has its name.
    await handle.sync();
    await handle.close();
    if (!(await named(temporary, target))) throw new PathError("exists");
    if (await isStillThere(file, folder, target, made, roots)) return;
    await removed(target, made);
    throw new PathError("changed");
  } finally {
    await handle.close().catch(() => {});
    await removed(temporary, made);
  }
}

/** Whether the folder is still the same place, and what lies at the path is this file. */
async function isStillThere(
  file: NewFile,
  folder: Place,
  path: string,
  made: BigIntStats,
  roots: readonly Root[],
): Promise<boolean> {
  const now = await placeOf(file.folder, roots);
  if (now.path !== folder.path || !isSameFile(now.stats, folder.stats)) return false;
  const stats = await ownStats(path);
  return stats !== null && isSameFile(stats, made);
}

/** Gives a file its name; `false` where the name is taken. A rename would replace what has it. */
async function named(temporary: string, target: string): Promise<boolean> {
  try {
    await link(temporary, target);
    return true;
  } catch (thrown) {
    const code = systemCodeOf(thrown);
    if (code === "EEXIST") return false;
    if (!NO_LINKS.has(code)) throw thrown;
    if ((await ownStats(target)) !== null) return false;
    await rename(temporary, target);
    return true;
  }
}

/** FAT and some shares have no hard links. */
const NO_LINKS: ReadonlySet<string | null> = new Set([
  "EPERM",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
  "EISDIR",
]);

/** Only the file that was made here, whatever has its name by now. */
async function removed(path: string, made: BigIntStats | null): Promise<void> {
  const stats = await ownStats(path).catch(() => null);
  if (stats === null || made === null || !isSameFile(stats, made)) return;
  await unlink(path).catch(() => {});
}

/** `null` where nothing has this name. */
async function ownStats(path: string): Promise<BigIntStats | null> {
  try {
    return await lstat(path, { bigint: true });
  } catch (thrown) {
    const code = systemCodeOf(thrown);
    if (code === "ENOENT") return null;
    // Of its name: its folder was found.
    if (code === "ENAMETOOLONG") throw new PathError("unreadable");
    throw thrown;
  }
}
