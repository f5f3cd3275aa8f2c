/**
 * What `foundry model download` prints during a download, and when it fails (docs/foundry-local.md,
 * section 12). Both generations draw for a terminal: colours, cursor movements, a line drawn over itself.
 */

import { LONGEST_OUTPUT_LINE, RecentMap, truncate } from "../../lib/index.js";
import { sanitizeMessage } from "../dialects/index.js";
import type { CliError, DownloadFault } from "./failures.js";

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
  readonly #seen = new RecentMap<string, true>(MOST_SEEN);

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
    this.#seen.set(content, true);
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

/** The first match counts: a registry that cannot be reached is not a model that is missing there. */
const REASONS: readonly (readonly [DownloadFault, RegExp])[] = [
  ["unknown_command", /unrecognized (?:command|argument)|unknown (?:command|option)\b/i],
  [
    "disk_full",
    /not enough (?:disk )?space|no space left|disk (?:is )?full|insufficient (?:disk|storage|free) ?space|\bENOSPC\b/i,
  ],
  [
    "network",
    /no such host|name (?:or service|resolution)|\b(?:SSL|TLS|proxy|certificate)\b|region\(s\)|registry request|no models were returned|time-?outs?\b|timed? out|task was canceled|forcibly closed|connection (?:was |could |refused|reset|attempt|closed|aborted)|transport connection|network (?:is )?(?:unreachable|error|down)|response ended prematurely|\bE(?:CONN\w+|NOTFOUND|TIMEDOUT|AI_AGAIN)\b|HttpRequestException/i,
  ],
  [
    "not_in_catalog",
    /not (?:found )?in (?:the |any )?(?:\w+ )?catalog|model\b.{0,120}\b(?:was |is )?not found|no (?:matching )?models? (?:was |were )?(?:found|match)|unknown model|no model matching/i,
  ],
];

const UNKNOWN = ["unknown", undefined] as const;

/** Prefixes of a message: marks, times, levels, names of exceptions. */
const PREFIXES = [
  /^[^\p{L}\p{N}[('"]+/u,
  /^\[\d\d:\d\d:\d\d [A-Z]{3}\] ?/,
  /^(?:error|exception|fatal|failed)(?: \(\d+\))?: ?/i,
  /^IPC error '[^']*': ?/i,
  /^Failed to download model [^,]{1,200}, error /i,
  /^Error downloading model \S{1,200}: ?/i,
  /^(?:[A-Za-z_]\w*\.)+\w*(?:Exception|Error): ?/,
];

/** The names of exceptions of .NET end with the word: `System.IO.IOException: …`. */
const COMPLAINS =
  /(?:error|exception|\bERR)\b|\b(?:failed|cannot|could not|unable|not found|not enough)\b/i;
/** Stacks, advice, and complaints about other models that every command of some versions prints (#718). */
const IS_NOISE = /^(?:at |--- |---> |Hint:|(?:\[[^\]]*\] ?)?Failed to process model #\d)/;
/** Messages that say that it failed, and nothing else. */
const SAYS_NOTHING = /^(?:Downloading \S+|LogException)?$/;
const LONGEST = 160;
/** Bounds the text that the expressions search. */
const MOST = 20_000;
const LONGEST_LINE = 2000;

/** Finds the reason in the output of a command line that failed. */
export function cliErrorOf(stdout: string, stderr: string): CliError {
  const lines = [...linesOf(stderr.slice(-MOST)), ...linesOf(stdout.slice(-MOST))]
    .map((line) => line.slice(0, LONGEST_LINE))
    .filter((line) => !IS_NOISE.test(line));
  const said = lines.join(" ");
  const [reason, words] = REASONS.find((each) => each[1].test(said)) ?? UNKNOWN;
  const complaints = lines.map(withoutProgress).filter((line) => COMPLAINS.test(line));
  const clauses = (complaints.length > 0 ? complaints : lines.filter(isWords).slice(-1)).map(
    clauseOf,
  );
  // The line with the reason says more than the line that says that there was an error.
  const withReason = clauses.find((clause) => words?.test(clause));
  const clause = withReason ?? clauses.find((each) => !SAYS_NOTHING.test(each)) ?? null;
  return { reason, clause };
}

const isWords = (line: string): boolean => percentOf(line) === null && /\p{L}{3}/u.test(line);

/** Removes a progress bar before the message: it ends without a line break when the download breaks (#20). */
function withoutProgress(line: string): string {
  const speeds = [...line.matchAll(/\/s ?(?=[A-Z])/g)];
  const bar = /^.*\d ?%/.exec(line.slice(0, speeds.at(-1)?.index ?? 0))?.[0].length;
  if (bar === undefined) return line;
  const speed = speeds.find(({ index }) => index >= bar);
  return speed === undefined ? line : line.slice(speed.index + speed[0].length);
}

function clauseOf(line: string): string {
  let words = sanitizeMessage(line);
  for (let before = ""; before !== words; ) {
    before = words;
    for (const prefix of PREFIXES) words = words.replace(prefix, "");
  }
  const [sentence = ""] = words.split(/(?<=\p{L}{2}\S*|\))[.!?](?:\s|$)/u);
  const short = sentence.length > LONGEST ? `${truncate(sentence, LONGEST)}…` : sentence;
  return short.replace(/, see inner exception/i, "").replace(/[\s.:,;]+$/, "");
}
