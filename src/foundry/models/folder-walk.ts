import type { Dirent } from "node:fs";
import { opendir, stat } from "node:fs/promises";
import { join } from "node:path";
import { FOLDER_WALK_ENTRIES, FOLDER_WALK_MS } from "../../lib/index.js";
import { inPool, LATE } from "../../platform/index.js";

/** Names per system call. */
const AT_ONCE = 256;

export interface Listed {
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
