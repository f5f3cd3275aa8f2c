import picomatch from "picomatch";
import {
  LONGEST_FILE_PATTERN,
  MOST_GLOB_CHOICES,
  MOST_STARS,
  MOST_STARS_IN_PART,
} from "../lib/index.js";
import { badRange, tooComplex, tooLongPattern } from "./refusals.js";

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

export interface Matcher {
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
  // Programs of macOS write the letter and the accent of `é` as two characters; keyboards write one.
  const matches = picomatch(withPlainParentheses(glob.normalize("NFC")), {
    windows: false,
    nocase: platform === "win32" || platform === "darwin",
    // `+(a|a)` and `!(…)` can take exponential time.
    noextglob: true,
    nonegate: true,
  });
  const hasDots = /(?:^|[/{,])\./.test(glob);
  return {
    matches: (way) => matches(way.normalize("NFC")),
    depth: glob.includes("**") ? null : parts.length,
    skips: (name) =>
      (name.startsWith(".") && !hasDots) ||
      (name === "node_modules" && !glob.includes("node_modules")),
  };
}
