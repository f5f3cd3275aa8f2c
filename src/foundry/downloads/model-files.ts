import type { Stats } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { KnownModel } from "../models/index.js";

/** `<cache>/<publisher>/<name>-<version>/v<version>/<file>`, and one level to spare. */
const DEEPEST = 3;
/** More than any model has; bounds what a look costs. */
const MOST_FILES = 500;

/**
 * What lies on disk of a model, whole or not, as a text that changes when anything is written there.
 * A command line whose output is no terminal may be silent for an hour while it downloads well; then
 * this is the only sign of it (docs/foundry-local.md, section 12).
 *
 * @returns an empty text where nothing is there.
 */
export async function stateOfFiles(cache: string, model: KnownModel): Promise<string> {
  const files = await filesOf(cache, model);
  return files
    .map(({ path, facts }) => `${path} ${facts.size} ${facts.blocks} ${facts.mtimeMs}`)
    .join("\n");
}

/** How much of a model lies on disk, whole or not, in MB. */
export async function mbOfFiles(cache: string, model: KnownModel): Promise<number> {
  const files = await filesOf(cache, model);
  return files.reduce((sum, { facts }) => sum + (facts.blocks * BLOCK) / (1024 * 1024), 0);
}

/** In bytes, whatever the disk's own blocks are. */
const BLOCK = 512;

interface ModelFile {
  readonly path: string;
  /** Of these blocks tell more than the size: a file may have its full size from the beginning. */
  readonly facts: Stats;
}

async function filesOf(cache: string, model: KnownModel): Promise<ModelFile[]> {
  const name = model.name.toLowerCase();
  const files: ModelFile[] = [];
  const walk = async (folder: string, depth: number, isInside: boolean): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (files.length >= MOST_FILES) return;
      const path = join(folder, entry.name);
      const isOfModel = isInside || entry.name.toLowerCase().startsWith(name);
      if (entry.isDirectory()) {
        if (depth < DEEPEST || isOfModel) await walk(path, depth + 1, isOfModel);
      } else if (isOfModel) {
        const facts = await lstat(path).catch(() => null);
        if (facts !== null) files.push({ path, facts });
      }
    }
  };
  await walk(cache, 1, false);
  return files;
}
