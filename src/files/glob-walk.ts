import { opendir } from "node:fs/promises";
import { GLOB_DEPTH, GLOB_ENTRIES, GLOB_MS, throwIfAborted } from "../lib/index.js";
import { inPool, LATE } from "../platform/index.js";
import { asPathError, PathError, placeOf } from "./opened-file.js";
import type { Root, Target } from "./paths.js";
import type { Matcher } from "./pattern.js";
import { lateDisk, tooWide } from "./refusals.js";

/** Names per system call. */
const AT_ONCE = 256;

/**
 * The names in the allowed folders, with limits on their number and on the time, which all globs of a call
 * share. Links to folders are not entered.
 *
 * Our own walk and not that of tinyglobby or fast-glob: these have no limit on names and follow or report
 * links without a check of their targets. Only the matching of names is picomatch's.
 */
export class GlobWalk {
  readonly #roots: readonly Root[];
  readonly #signal: AbortSignal | undefined;
  readonly #until = performance.now() + GLOB_MS;
  #entriesLeft = GLOB_ENTRIES;

  constructor(roots: readonly Root[], signal?: AbortSignal) {
    this.#roots = roots;
    this.#signal = signal;
  }

  /**
   * The files below a folder that match, sorted.
   *
   * @throws FoundryError `INVALID_ARGUMENT` where it would look at too many names, `TIMEOUT` where the disk
   *   does not answer, and what the signal says.
   */
  async matches({ root, parts: base }: Target, matcher: Matcher, given: string): Promise<Target[]> {
    const found: string[] = [];
    const depth = Math.min(matcher.depth ?? GLOB_DEPTH, GLOB_DEPTH);
    let level = [""];
    for (let left = depth; left > 0 && level.length > 0; left -= 1) {
      const folders: string[] = [];
      for (const folder of level) {
        const target = { root, parts: [...base, ...split(folder)] };
        for (const { name, isFolder } of await this.#list(target, given)) {
          const way = `${folder}${name}`;
          if (!isFolder && matcher.matches(way)) found.push(way);
          if (isFolder && !matcher.skips(name)) folders.push(`${way}/`);
        }
      }
      level = folders;
    }
    return found.sort().map((way) => ({ root, parts: [...base, ...split(way)] }));
  }

  async #list(folder: Target, given: string): Promise<readonly Entry[]> {
    throwIfAborted(this.#signal);
    const leftMs = this.#until - performance.now();
    if (leftMs <= 0) throw tooWide(given);
    // What cannot be listed has no names, as for a shell.
    const read = () =>
      this.#read(folder, given)
        .catch(asPathError)
        .catch((thrown: unknown) => {
          if (thrown instanceof PathError) return [];
          throw thrown;
        });
    const listed = await inPool(read, leftMs);
    if (listed === LATE) throw lateDisk(given);
    return listed;
  }

  async #read(folder: Target, given: string): Promise<readonly Entry[]> {
    const before = await placeOf(folder, this.#roots);
    if (!before.stats.isDirectory()) return [];
    const entries: Entry[] = [];
    for await (const entry of await opendir(before.path, { bufferSize: AT_ONCE })) {
      this.#entriesLeft -= 1;
      if (this.#entriesLeft < 0 || performance.now() > this.#until) throw tooWide(given);
      // A link to a file may match; whether it leads outside shows when it is read.
      const isLinkOrFile = entry.isFile() || entry.isSymbolicLink();
      if (isLinkOrFile || entry.isDirectory()) {
        entries.push({ name: entry.name, isFolder: !isLinkOrFile });
      }
    }
    const after = await placeOf(folder, this.#roots);
    const isSame = after.path === before.path && after.stats.ino === before.stats.ino;
    return isSame ? entries : [];
  }
}

interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
}

const split = (way: string): string[] => way.split("/").filter((part) => part !== "");
