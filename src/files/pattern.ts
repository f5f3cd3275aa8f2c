import { opendir } from "node:fs/promises";
import picomatch from "picomatch";
import {
  GLOB_DEPTH,
  GLOB_ENTRIES,
  GLOB_MS,
  LONGEST_FILE_PATTERN,
  MOST_GLOB_CHOICES,
  MOST_STARS,
  MOST_STARS_IN_PART,
  throwIfAborted,
} from "../lib/index.js";
import { inPool, LATE } from "../platform/index.js";
import { isOfSystem, NoPlace, placeOf } from "./opened-file.js";
import type { Root } from "./paths.js";
import { badRange, lateDisk, tooComplex, tooLongPattern, tooWide } from "./refusals.js";

/** Lines of a file, counted from 1. */
export interface LineRange {
  readonly first: number;
  /** `null`: to the end of the file. */
  readonly last: number | null;
}

/** What a caller gives: a path or a glob, with the lines that are wanted. */
export interface Pattern {
  readonly given: string;
  /** With `/` between its parts. */
  readonly path: string;
  /** `null`: all lines. */
  readonly lines: LineRange | null;
}

/**
 * Reads `notes.md`, `notes.md:10-40`, `notes.md:10-` or `notes.md:10`. The range stands behind the last
 * colon, so that `C:\notes.md` has none. A file whose own name ends like a range is read with a glob.
 *
 * @throws FoundryError `INVALID_ARGUMENT` for a range that has no lines, and a text that is too long.
 */
export function patternOf(given: string, platform: NodeJS.Platform): Pattern {
  if (given.length > LONGEST_FILE_PATTERN) throw tooLongPattern(given);
  const [, before = given, from, dash, to = ""] =
    /^(.+):(\d{1,9})(?:(-)(\d{0,9}))?$/s.exec(given) ?? [];
  const path = platform === "win32" ? before.replaceAll("\\", "/") : before;
  if (from === undefined) return { given, path, lines: null };
  const first = Number(from);
  const last = dash === undefined ? first : to === "" ? null : Number(to);
  if (first < 1 || (last !== null && last < first)) throw badRange(given);
  return { given, path, lines: { first, last } };
}

export const isGlob = (path: string): boolean => /[*?[{]/.test(path);

/** The parts before the first one with a wildcard, and the rest. */
export function baseOf(glob: string): { readonly base: string; readonly rest: string } {
  const parts = glob.split("/");
  const at = parts.findIndex(isGlob);
  const base = parts.slice(0, at).join("/");
  // Without its slash, `/` would be nothing, and `D:` the folder that a process has there.
  const isRoot = at > 0 && /^(?:[a-z]:)?$/i.test(base);
  return { base: isRoot ? `${base}/` : base, rest: parts.slice(at).join("/") };
}

/** In how many ways the `{…}` of a glob can be read: at most the product of their alternatives. */
const choicesIn = (glob: string): number =>
  glob
    .split("{")
    .slice(1)
    .reduce((product, text) => product * text.split(",").length, 1);

/** picomatch takes them for a regular expression, so that `(a+)+` takes exponential time. */
const withPlainParentheses = (glob: string): string =>
  glob.replace(/\\.|[()|+]/gs, (each) => (each.length > 1 ? each : `\\${each}`));

interface Matcher {
  /** Whether a path below the base, with `/` between its parts, matches. */
  readonly matches: (way: string) => boolean;
  /** How many folders deep a match can be; `null` without a limit. */
  readonly depth: number | null;
  /** Folders that are not entered. */
  readonly skips: (name: string) => boolean;
}

/**
 * What a glob matches: `*`, `**`, `?`, `[…]` and `{…}`. Names that begin with a dot and `node_modules` are
 * matched only where the glob has them itself.
 *
 * @throws FoundryError `INVALID_ARGUMENT` for a glob that would take too long.
 */
export function matcherOf(glob: string, given: string, platform: NodeJS.Platform): Matcher {
  const parts = glob.split("/");
  const starsIn = (text: string): number => text.split("*").length - 1;
  const inPart = Math.max(...parts.map((part) => (part === "**" ? 0 : starsIn(part))));
  if (inPart > MOST_STARS_IN_PART || starsIn(glob) > MOST_STARS) throw tooComplex(given);
  if (choicesIn(glob) > MOST_GLOB_CHOICES) throw tooComplex(given);
  const matches = picomatch(withPlainParentheses(glob), {
    windows: false,
    nocase: platform === "win32" || platform === "darwin",
    // `+(a|a)` and `!(…)` can take exponential time.
    noextglob: true,
    nonegate: true,
    maxLength: LONGEST_FILE_PATTERN,
  });
  const hasDots = /(?:^|[/{,])\./.test(glob);
  return {
    matches: (way) => matches(way),
    depth: glob.includes("**") ? null : parts.length,
    skips: (name) =>
      (name.startsWith(".") && !hasDots) ||
      (name === "node_modules" && !glob.includes("node_modules")),
  };
}

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
   * The files below a folder that match, each in parts from the allowed folder on, sorted.
   *
   * @throws FoundryError `INVALID_ARGUMENT` where it would look at too many names, `TIMEOUT` where the disk
   *   does not answer, and what the signal says.
   */
  async matches(
    root: Root,
    base: readonly string[],
    matcher: Matcher,
    given: string,
  ): Promise<string[][]> {
    const found: string[] = [];
    const depth = Math.min(matcher.depth ?? GLOB_DEPTH, GLOB_DEPTH);
    let level = [""];
    for (let left = depth; left > 0 && level.length > 0; left -= 1) {
      const folders: string[] = [];
      for (const folder of level) {
        for (const { name, isFolder } of await this.#list(
          root,
          [...base, ...split(folder)],
          given,
        )) {
          const way = `${folder}${name}`;
          if (!isFolder && matcher.matches(way)) found.push(way);
          if (isFolder && !matcher.skips(name)) folders.push(`${way}/`);
        }
      }
      level = folders;
    }
    return found.sort().map((way) => [...base, ...split(way)]);
  }

  async #list(root: Root, parts: readonly string[], given: string): Promise<readonly Entry[]> {
    throwIfAborted(this.#signal);
    const leftMs = this.#until - performance.now();
    if (leftMs <= 0) throw tooWide(given);
    const listed = await inPool(() => this.#read(root, parts), leftMs);
    if (listed === LATE) throw lateDisk(given);
    if (listed === "too many") throw tooWide(given);
    return listed;
  }

  /** What cannot be listed has no names, as for a shell. */
  async #read(root: Root, parts: readonly string[]): Promise<readonly Entry[] | "too many"> {
    try {
      const before = await placeOf(root, parts, this.#roots);
      if (!before.stats.isDirectory()) return [];
      const entries: Entry[] = [];
      for await (const entry of await opendir(before.path, { bufferSize: AT_ONCE })) {
        this.#entriesLeft -= 1;
        if (this.#entriesLeft < 0 || performance.now() > this.#until) return "too many";
        // A link to a file may match; whether it leads outside shows when it is read.
        const isLinkOrFile = entry.isFile() || entry.isSymbolicLink();
        if (isLinkOrFile || entry.isDirectory()) {
          entries.push({ name: entry.name, isFolder: !isLinkOrFile });
        }
      }
      const after = await placeOf(root, parts, this.#roots);
      const isSame = after.path === before.path && after.stats.ino === before.stats.ino;
      return isSame ? entries : [];
    } catch (thrown) {
      if (thrown instanceof NoPlace || isOfSystem(thrown)) return [];
      throw thrown;
    }
  }
}

interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
}

const split = (way: string): string[] => way.split("/").filter((part) => part !== "");
