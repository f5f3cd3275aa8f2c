/**
 * What `foundry model download` writes while it works (docs/foundry-local.md, section 12). Both
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

/** The lines of an output, those that were drawn over included, without what only a terminal reads. */
export function linesOf(output: string): string[] {
  return output
    .replace(COLOURS, "")
    .replace(OTHER_ESCAPES, "\n")
    .split(/[\r\n]+/)
    .map((line) => line.replace(CONTROLS, "").trim())
    .filter((line) => line !== "");
}

/** `45.2 %`, `0%`, `100,00 %` where people write the decimals so. */
const PERCENT = /(?<![\d.,])(\d{1,3}(?:[.,]\d+)?) ?%/g;
/** `0.9/2.0 GB`, `1.2 GB / 2.7 GB`, `120 MB of 1.3 GB`. */
const AMOUNTS =
  /(?<![\d.,])(\d+(?:[.,]\d+)?) ?([KMGT]i?B|B)? ?(?:\/|of) ?(\d+(?:[.,]\d+)?) ?([KMGT]i?B|B)\b/i;

/** 0 to 100 as one line tells it; `null` where it tells nothing. */
export function percentOf(line: string): number | null {
  // A line may hold several drawings of the bar; the last one is the newest.
  const said = [...line.matchAll(PERCENT)].at(-1)?.[1];
  if (said !== undefined) {
    const percent = numberOf(said);
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

/** Times, speeds, turning wheels and bars: they move though nothing comes. */
const RESTLESS = [
  /\[?time remaining[^\]]*\]?/gi,
  /(?:(?<![\d.,])[\d.,]+|\?) ?(?:[KMGT]i?B|B)?\/s\b/gi,
  /(?<!\S)(?:[\d-]{1,3}:)+[\d-]{1,3}(?!\S)/g,
  /[^\p{L}\p{N}%.,:]/gu,
];

/** What a line says, without what moves by itself. */
const substanceOf = (line: string): string =>
  RESTLESS.reduce((rest, restless) => rest.replace(restless, " "), line)
    .replace(/\s+/g, " ")
    .trim();

/** Of what is kept of what was said. */
const MOST_SAID = 2000;

/** Reads an output as it comes, in whatever pieces. */
export class CliProgress {
  /** The highest percentage that was told; `null` before the first. */
  percent: number | null = null;
  #unfinished = "";
  readonly #said = new Set<string>();

  /**
   * Takes the next piece of output.
   *
   * @returns whether it said anything for the first time. A picture that is drawn again with its
   *   wheel turned says nothing new, so that a download that stands still is seen to.
   */
  take(piece: string): boolean {
    const text = this.#unfinished + piece;
    const end = endOfLines(text);
    this.#unfinished = text.slice(end).slice(-LONGEST_OUTPUT_LINE);
    const isNew = linesOf(text.slice(0, end)).filter((line) => this.#hear(line)).length > 0;
    // What is drawn after a carriage return ends with the next one only, which may be a while.
    const isHigher = linesOf(this.#unfinished).filter((line) => this.#rise(line)).length > 0;
    return isNew || isHigher;
  }

  #hear(whole: string): boolean {
    // The newest drawing of a line that is drawn over itself is the last.
    const line = whole.slice(-LONGEST_OUTPUT_LINE);
    const isHigher = this.#rise(line);
    const substance = substanceOf(line);
    if (substance === "" || this.#said.has(substance)) return isHigher;
    this.#said.add(substance);
    const [oldest] = this.#said;
    if (this.#said.size > MOST_SAID && oldest !== undefined) this.#said.delete(oldest);
    return true;
  }

  #rise(line: string): boolean {
    const percent = percentOf(line);
    if (percent === null || (this.percent !== null && percent <= this.percent)) return false;
    this.percent = percent;
    return true;
  }
}

/** Where the last line ends, by a line break or by a movement to another place. */
function endOfLines(text: string): number {
  const last = [...text.matchAll(LINE_ENDS)].at(-1);
  return last === undefined ? 0 : last.index + last[0].length;
}
