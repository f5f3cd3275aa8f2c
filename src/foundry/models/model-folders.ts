import type { Dirent } from "node:fs";
import { opendir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as z from "zod";
import {
  CONFIG_FILE_BYTES,
  FOLDER_WALK_ENTRIES,
  FOLDER_WALK_MS,
  jsonFrom,
} from "../../lib/index.js";
import { inPool, LATE, readSmallFile } from "../../platform/index.js";
import { parseModelId } from "./model.js";

/**
 * Which models are downloaded, and the context each really gets, read from the folders of the model
 * cache: no route of C2 contains either (docs/foundry-local.md, section 6).
 */
export interface ModelFolder {
  /** The id that the folder gives itself; without a version it is version 0, as for the services. */
  readonly id: string;
  /** `search.max_length` and `model.context_length` of its genai_config.json. */
  readonly maxLength: number | null;
  readonly contextLength: number | null;
}

/** `<cache>/<publisher>/<name>-<version>/v<version>/`, and one level to spare. */
const DEEPEST = 4;
/** Of genai_config.json below the folder that names the model, with a level to spare. */
const DEEPEST_CONFIG = 2;

const inferenceModelSchema = z.object({ Name: z.string().min(1) });
const length = z.number().int().positive().optional().catch(undefined);
const genaiConfigSchema = z.object({
  model: z.object({ context_length: length }).optional().catch(undefined),
  search: z.object({ max_length: length }).optional().catch(undefined),
});

interface ModelFolders {
  readonly folders: readonly ModelFolder[];
  /** `false` where folders were left unread: a model that is missing here may be downloaded. */
  readonly isComplete: boolean;
}

/**
 * The complete models under `directory`. A model whose download has not ended, marked by
 * `download.tmp`, does not count. `null` when the directory is not on this machine.
 */
export async function readModelFolders(
  directory: string,
  walk = new FolderWalk(),
): Promise<ModelFolders | null> {
  // The root of a disk is no model cache, and the walk would read the whole disk.
  if (dirname(directory) === directory) return null;
  const folders: ModelFolder[] = [];
  const visit = async (folder: Folder, depth: number): Promise<boolean> => {
    const listed = await walk.list(folder);
    if (listed === null) return false;
    if (listed.files.has("download.tmp")) return true;
    if (listed.files.has("inference_model.json")) {
      const model = await readModelFolder(folder, walk);
      if (model !== null) folders.push(model);
    } else if (depth < DEEPEST) {
      // One after the other, to bound the cost of a wrong folder.
      for (const inner of listed.folders) await visit(inner, depth + 1);
    }
    return true;
  };
  const isThere = await visit({ path: directory, isLinked: false }, 0);
  return isThere || !walk.isComplete ? { folders, isComplete: walk.isComplete } : null;
}

async function readModelFolder(folder: Folder, walk: FolderWalk): Promise<ModelFolder | null> {
  const named = inferenceModelSchema.safeParse(
    await readJson(join(folder.path, "inference_model.json")),
  );
  if (!named.success) return null;
  // genai_config.json is beside it or one level below, depending on the program that wrote it.
  const configFolder = await folderWithConfig(folder, walk, 0);
  if (configFolder === null) return null;
  const { Name: name } = named.data;
  const id = parseModelId(name).version === null ? `${name}:0` : name;
  return { id, ...(await readContextLimits(configFolder)) };
}

async function folderWithConfig(
  folder: Folder,
  walk: FolderWalk,
  depth: number,
): Promise<string | null> {
  const listed = await walk.list(folder);
  if (listed === null) return null;
  if (listed.files.has("genai_config.json")) return folder.path;
  if (depth >= DEEPEST_CONFIG) return null;
  for (const inner of listed.folders) {
    const found = await folderWithConfig(inner, walk, depth + 1);
    if (found !== null) return found;
  }
  return null;
}

/** The limits in the genai_config.json of one model's folder. */
export async function readContextLimits(
  folder: string,
): Promise<Pick<ModelFolder, "maxLength" | "contextLength">> {
  const config = genaiConfigSchema.safeParse(await readJson(join(folder, "genai_config.json")));
  return {
    maxLength: config.data?.search?.max_length ?? null,
    contextLength: config.data?.model?.context_length ?? null,
  };
}

async function readJson(path: string): Promise<unknown> {
  const limits = { maxBytes: CONFIG_FILE_BYTES };
  const file = await readSmallFile(path, limits);
  return "text" in file ? jsonFrom(file.text) : undefined;
}

/** Names per system call. */
const AT_ONCE = 256;

interface Listed {
  readonly files: ReadonlySet<string>;
  readonly folders: readonly Folder[];
}

export interface Folder {
  readonly path: string;
  /** Whether there is a symbolic link on the path from the start of the walk. */
  readonly isLinked: boolean;
}

/**
 * Lists folders of a tree that another program names, with limits on the total time and number of
 * entries: the tree may be the root of the disk, `/proc`, or on a share that does not respond.
 */
export class FolderWalk {
  #entriesLeft: number;
  readonly #until: number;
  readonly #now: () => number;
  /** Whether no limit was exceeded. */
  isComplete = true;

  constructor({
    entries = FOLDER_WALK_ENTRIES,
    ms = FOLDER_WALK_MS,
    now = () => performance.now(),
  }: { entries?: number; ms?: number; now?: () => number } = {}) {
    this.#entriesLeft = entries;
    this.#now = now;
    this.#until = now() + ms;
  }

  /** The remaining time, in milliseconds. */
  get leftMs(): number {
    return this.#until - this.#now();
  }

  /** The contents of a folder, within the limits; `null` where it cannot be listed. */
  async list(folder: Folder): Promise<Listed | null> {
    if (this.leftMs <= 0 || this.#entriesLeft <= 0) {
      this.isComplete = false;
      return null;
    }
    const listed = await inPool(() => this.#read(folder).catch(() => null), this.leftMs);
    if (listed !== LATE) return listed;
    this.isComplete = false;
    return null;
  }

  async #read(folder: Folder): Promise<Listed> {
    const files = new Set<string>();
    const folders: Folder[] = [];
    for await (const entry of await opendir(folder.path, { bufferSize: AT_ONCE })) {
      this.#entriesLeft -= 1;
      if (this.#entriesLeft < 0 || this.leftMs <= 0) {
        this.isComplete = false;
        break;
      }
      const path = join(folder.path, entry.name);
      const kind = await this.#kindOf(path, entry, folder.isLinked);
      if (kind === "file") files.add(entry.name);
      else if (kind !== null) folders.push({ path, isLinked: kind === "link" || folder.isLinked });
    }
    return { files, folders };
  }

  /** Models may be linked from another disk; further links behind such a link are ignored. */
  async #kindOf(
    path: string,
    entry: Dirent,
    isBehindLink: boolean,
  ): Promise<"file" | "folder" | "link" | null> {
    if (entry.isFile()) return "file";
    if (entry.isDirectory()) return "folder";
    if (!entry.isSymbolicLink()) return null;
    const target = await stat(path).catch(() => null);
    if (target?.isFile() === true) return "file";
    return target?.isDirectory() === true && !isBehindLink ? "link" : null;
  }
}
