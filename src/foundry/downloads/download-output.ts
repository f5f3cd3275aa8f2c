/**
 * What `foundry model download` prints during a download (docs/foundry-local.md, section 12). Both
 * generations draw for a terminal: colours, cursor movements, a line drawn over itself.
 */

import { LONGEST_OUTPUT_LINE } from "../../lib/index.js";

// biome-ignore-start lint/suspicious/noControlCharactersInRegex: these are what is looked for
const COLOURS = /\u001B\[[\d;:]*m/g;
/** Movements and erasures, titles and links, the short ones. */
const OTHER_ESCAPES =
  /\u001B(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001B]*(?:\u0007|\u001B\\)?|[ -/]*[0-~])/g;
const CONTROLS = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F\uFEFF]/g;
const LINE_ENDS = /[\r\n]|\u001B\[[\d;?]*[A-HJKf]/g;
// biome-ignore-end lint/suspicious/noControlCharactersInRegex: as above

/** The lines of an output, overwritten ones included, without control sequences of a terminal. */
export function linesOf(output: string): string[] {
  return output
    .replace(COLOURS, "")
    .replace(OTHER_ESCAPES, "\n")
    .split(/[\r\n]+/)
    .map((line) => line.replace(CONTROLS, "").trim())
    .filter((line) => line !== "");
}

/** `45.2 %`, `0%`, or `100,00 %` with a decimal comma. */
const PERCENT = /(?<![\d.,])(\d{1,3}(?:[.,]\d+)?) ?%/g;
/** `0.9/2.0 GB`, `1.2 GB / 2.7 GB`, `120 MB of 1.3 GB`. */
const AMOUNTS =
  /(?<![\d.,])(\d+(?:[.,]\d+)?) ?([KMGT]i?B|B)? ?(?:\/|of) ?(\d+(?:[.,]\d+)?) ?([KMGT]i?B|B)\b/i;

/** The percentage in a line, 0 to 100; `null` where there is none. */
export function percentOf(line: string): number | null {
  // A line may contain several drawings of the bar; the last one is the newest.
  const printed = [...line.matchAll(PERCENT)].at(-1)?.[1];
  if (printed !== undefined) {
    const percent = numberOf(printed);
    return percent <= 100 ? percent : null;
  }
  const [, done, doneUnit, whole, wholeUnit] = AMOUNTS.exec(line) ?? [];
  if (done === undefined || whole === undefined || wholeUnit === undefined) return null;
  const ratio = bytes(done, doneUnit ?? wholeUnit) / bytes(whole, wholeUnit);
  return Number.isFinite(ratio) && ratio <= 1 ? Math.round(ratio * 10_000) / 100 : null;
}

const bytes = (amount: string, unit: string): number =>
  numberOf(amount) * 1024 ** "BKMGT".indexOf(unit.slice(0, 1).toUpperCase());

const numberOf = (text: string): number => Number(text.replace(",", "."));

/** Times, speeds, spinners and bars: they change without progress. */
const ANIMATED = [
  /\[?time remaining[^\]]*\]?/gi,
  /(?:(?<![\d.,])[\d.,]+|\?) ?(?:[KMGT]i?B|B)?\/s\b/gi,
  /(?<!\S)(?:[\d-]{1,3}:)+[\d-]{1,3}(?!\S)/g,
  /[^\p{L}\p{N}%.,:]/gu,
];

/** A line without its animated parts. */
const withoutAnimation = (line: string): string =>
  ANIMATED.reduce((rest, animated) => rest.replace(animated, " "), line)
    .replace(/\s+/g, " ")
    .trim();

/** Of lines that are remembered. */
const MOST_SEEN = 2000;

/** Reads an output in pieces of any size. */
export class CliProgress {
  /** The highest percentage so far; `null` before the first. */
  percent: number | null = null;
  #unfinished = "";
  readonly #seen = new Set<string>();

  /**
   * Takes the next piece of output.
   *
   * @returns whether it contains progress, which is a line that was not printed before. A line that is
   *   redrawn with its spinner turned is none, so that a stalled download is noticed.
   */
  take(piece: string): boolean {
    const text = this.#unfinished + piece;
    const end = endOfLines(text);
    this.#unfinished = text.slice(end).slice(-LONGEST_OUTPUT_LINE);
    const isNew = linesOf(text.slice(0, end)).filter((line) => this.#isNewLine(line)).length > 0;
    // A line that begins with a carriage return ends with the next one only, which may take a while.
    const isHigher =
      linesOf(this.#unfinished).filter((line) => this.#raisePercent(line)).length > 0;
    return isNew || isHigher;
  }

  #isNewLine(whole: string): boolean {
    // Of a redrawn line, the last drawing is the newest.
    const line = whole.slice(-LONGEST_OUTPUT_LINE);
    const isHigher = this.#raisePercent(line);
    const content = withoutAnimation(line);
    if (content === "" || this.#seen.has(content)) return isHigher;
    this.#seen.add(content);
    const [oldest] = this.#seen;
    if (this.#seen.size > MOST_SEEN && oldest !== undefined) this.#seen.delete(oldest);
    return true;
  }

  #raisePercent(line: string): boolean {
    const percent = percentOf(line);
    if (percent === null || (this.percent !== null && percent <= this.percent)) return false;
    this.percent = percent;
    return true;
  }
}

/** Where the last line ends, by a line break or by a cursor movement. */
function endOfLines(text: string): number {
  const last = [...text.matchAll(LINE_ENDS)].at(-1);
  return last === undefined ? 0 : last.index + last[0].length;
}
