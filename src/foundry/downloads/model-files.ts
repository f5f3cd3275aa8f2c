import type { Stats } from "node:fs";
import { lstat } from "node:fs/promises";
import { basename, join } from "node:path";
import { inPool, LATE } from "../../platform/index.js";
import { type Folder, FolderWalk, type KnownModel } from "../models/index.js";

/** `<cache>/<publisher>/<name>-<version>/v<version>/<file>`, and one level to spare. */
const DEEPEST = 3;
/** Below a folder of the model's own. */
const DEEPEST_INSIDE = 8;
/** More than any model has; bounds the cost of one check. */
const MOST_FILES = 500;

/**
 * The files of a model on disk, complete or not, as a text that changes when anything is written. A
 * command line whose output is no terminal may print nothing for an hour during a download; then this
 * is the only sign of progress (docs/foundry-local.md, section 12).
 *
 * @returns an empty text where there are no files.
 */
export async function stateOfFiles(cache: string, model: KnownModel): Promise<string> {
  const { files } = await filesOf(cache, model);
  return files
    .map(({ path, facts }) => `${path} ${facts.size} ${facts.blocks} ${facts.mtimeMs}`)
    .join("\n");
}

/**
 * The size of a model's files on disk, complete or not, in MB. Other versions of it do not count.
 *
 * @returns `null` where the files are too many or the disk too slow, so that there may be more.
 */
export async function mbOfFiles(cache: string, model: KnownModel): Promise<number | null> {
  const { files, areAll } = await filesOf(cache, model, model.version);
  if (!areAll) return null;
  return files.reduce((sum, { facts }) => sum + (facts.blocks * BLOCK) / (1024 * 1024), 0);
}

/** In bytes, whatever the disk's own blocks are. */
const BLOCK = 512;

interface ModelFile {
  readonly path: string;
  /** The blocks say more than the size: a file may have its full size from the beginning. */
  readonly facts: Stats;
}

async function filesOf(
  cache: string,
  model: KnownModel,
  version: number | null = null,
): Promise<{ readonly files: readonly ModelFile[]; readonly areAll: boolean }> {
  const name = model.name.toLowerCase();
  const isNamed = (path: string): boolean => {
    const base = basename(path).toLowerCase();
    const [, other] = /^-(\d+)$/.exec(base.slice(name.length)) ?? [];
    const isOther = version !== null && other !== undefined && Number(other) !== version;
    return base.startsWith(name) && !isOther;
  };
  const files: ModelFile[] = [];
  let areAll = true;
  const walk = new FolderWalk();
  const visit = async (folder: Folder, depth: number, isInside: boolean): Promise<void> => {
    const listed = await walk.list(folder);
    if (listed === null) return;
    const isOfModel = (path: string) => isInside || isNamed(path);
    for (const path of [...listed.files].map((file) => join(folder.path, file)).filter(isOfModel)) {
      if (files.length >= MOST_FILES) areAll = false;
      if (!areAll) return;
      const facts = await inPool(() => lstat(path).catch(() => null), walk.leftMs);
      if (facts === LATE) areAll = false;
      else if (facts !== null) files.push({ path, facts });
    }
    for (const inner of listed.folders) {
      // A linked folder was not downloaded here.
      if (inner.isLinked) continue;
      const isOf = isOfModel(inner.path);
      if (depth < DEEPEST || (isOf && depth < DEEPEST_INSIDE)) await visit(inner, depth + 1, isOf);
    }
  };
  await visit({ path: cache, isLinked: false }, 1, false);
  return { files, areAll: areAll && walk.isComplete };
}
