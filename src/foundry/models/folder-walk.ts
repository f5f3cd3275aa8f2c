import type { Dirent } from "node:fs";
import { opendir, stat } from "node:fs/promises";
import { join } from "node:path";
import { FOLDER_WALK_ENTRIES, FOLDER_WALK_MS } from "../../lib/index.js";
import { inPool, LATE } from "../../platform/index.js";

/** Names that come with one call of the system. */
const AT_ONCE = 256;

export interface Listed {
  readonly files: ReadonlySet<string>;
  readonly folders: readonly Folder[];
}

export interface Folder {
  readonly path: string;
  /** Whether a link lies on the way here from where the walk began. */
  readonly isLinked: boolean;
}

/**
 * Lists folders of a tree that another program names, within a bounded time and number of entries in
 * all: it may be the root of the disk, `/proc`, or lie on a share that does not answer.
 */
export class FolderWalk {
  #entriesLeft: number;
  readonly #until: number;
  readonly #now: () => number;
  /** Whether all that was asked for has been seen. */
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

  /** What is left of its time, in milliseconds. */
  get leftMs(): number {
    return this.#until - this.#now();
  }

  /** What is in a folder, as far as the bounds allow; `null` where it cannot be listed. */
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

  /** Models may be linked in from another disk; what is behind such a link is there without further ones. */
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
