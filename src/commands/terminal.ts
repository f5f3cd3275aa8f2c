import { truncate, withoutControls } from "../lib/index.js";
import type { Environment } from "../settings.js";
import { EXIT } from "./command-line.js";
import { asTyped } from "./typed-command.js";

/** `process.stdout`, as far as it matters here. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Where a text goes that comes bit by bit. */
export interface TextOutput {
  stream(piece: string): void;
  /** Ends the last line. `true`: there was a text since the last end. */
  endStream(): boolean;
}

/** How a command talks to a person in front of a terminal, or to whatever reads its output instead. */
export interface Screen extends TextOutput {
  readonly isTerminal: boolean;
  title(name: string, what?: string): void;
  say(...lines: readonly string[]): void;
  /** Facts with their names before them, one below the other; those of `null` are left out. */
  table(rows: readonly (readonly [name: string, value: string | null])[]): void;
  faint(line: string): void;
  /** Lines of {@link columnLines}, which fit. */
  rows(lines: readonly string[]): void;
  /** Lines of a file, which are not broken. */
  verbatim(lines: string): void;
  good(line: string): void;
  /** A last sentence that says that something does not work. */
  verdict(line: string): void;
  /** Takes a status line away. */
  clear(): void;
  /**
   * A line that the next output replaces. On a dumb terminal it stays, and a repeated one is left out. On
   * anything but a terminal all are left out.
   */
  status(line: string): void;
  /**
   * The progress of work as a status, with a bar where a percentage is known. On anything but a terminal it is
   * a line for each message, and one for each ten percent.
   */
  progress(news: News): void;
}

const CLEAR_LINE = "\r\u001b[2K";
const INDENT = "  ";

/** Colours only on a terminal, and not where NO_COLOR asks for none (no-color.org). */
export function terminalScreen(output: Output, environment: Environment): Screen {
  // A dumb terminal shows escape sequences as they are.
  const isDumb = output.isTTY === true && environment["TERM"] === "dumb";
  const isTerminal = output.isTTY === true && !isDumb;
  const hasColours = isTerminal && !environment["NO_COLOR"];
  const paint = (code: number, text: string): string =>
    hasColours ? `\u001b[${code}m${text}\u001b[0m` : text;
  let hasStatus = false;
  let isAtLineStart = true;
  let lastProgress = "";
  let lastStatus = "";
  let streamed = new WrappedText(textColumns(output), INDENT);

  const write = (text: string): void => {
    output.write(`${hasStatus ? CLEAR_LINE : ""}${text}`);
    hasStatus = false;
  };
  // What is shown comes from services and models, which must not steer the terminal.
  const indented = (text: string): string =>
    withoutControls(text).replaceAll("\r", " ").replaceAll("\n", `\n${INDENT}`);
  const widest = textColumns(output) - INDENT.length;
  const broken = (text: string, from = 0): string =>
    wrapped(asTyped(text), widest - from).join(`\n${" ".repeat(from)}`);
  const line = (text: string): void => write(`${INDENT}${indented(broken(text))}\n`);

  const status = (text: string): void => {
    if (!isAtLineStart) return;
    if (isDumb && text !== lastStatus) line(text);
    lastStatus = text;
    if (!isTerminal) return;
    write(`${INDENT}${paint(2, indented(text))}`);
    hasStatus = true;
  };

  const deeper = (text: string): string => indented(text).replaceAll("\n", `\n${INDENT}`);

  return {
    isTerminal,
    title: (name, what) => {
      const beside =
        what === undefined ? "" : broken(what, name.length).replaceAll(/\n */g, `\n${INDENT}`);
      write(`\n${paint(1, name)}${beside === "" ? "" : `  ${paint(36, beside)}`}\n`);
    },
    say: (...lines) => lines.forEach(line),
    table: (rows) => {
      const known = rows.flatMap(([name, value]) => (value === null ? [] : [{ name, value }]));
      const column = Math.max(...known.map(({ name }) => name.length)) + 2;
      for (const { name, value } of known) {
        const beside = indented(broken(value, column));
        write(`${INDENT}${paint(2, name.padEnd(column))}${beside}\n`);
      }
    },
    faint: (text) => write(`${INDENT}${paint(2, indented(broken(text)))}\n`),
    rows: (lines) => write(lines.map((row) => `${INDENT}${row}\n`).join("")),
    verbatim: (text) => write(`${INDENT}${INDENT}${paint(2, deeper(text))}\n`),
    good: (text) => write(`\n${paint(32, withoutControls(asTyped(text)))}\n`),
    verdict: (text) => write(`\n${paint(31, withoutControls(asTyped(text)))}\n`),
    clear: () => write(""),
    status,
    progress: ({ message, percent = null }) => {
      if (isTerminal) return status(statusLine(message, percent, widthOf(output)));
      const step = percent === null ? null : Math.floor(percent / STEP_PERCENT) * STEP_PERCENT;
      const shown = step === null || step === 0 ? `${message} ...` : `${message}: ${step}%`;
      if (shown !== lastProgress) line(shown);
      lastProgress = shown;
    },
    stream: (piece) => {
      if (piece === "") return;
      const ready = streamed.add(withoutControls(piece).replaceAll("\r", " "));
      if (ready !== "") write(ready);
      isAtLineStart = false;
    },
    endStream: () => {
      const hasText = !isAtLineStart;
      if (hasText) write(`${streamed.end()}\n`);
      streamed = new WrappedText(textColumns(output), INDENT);
      isAtLineStart = true;
      return hasText;
    },
  };
}

/** What is shown of work that takes long. */
interface News {
  /** A sentence without a full stop. */
  readonly message: string;
  /** As far as it is known. */
  readonly percent?: number | null;
}

const BAR = 20;
/** On anything but a terminal, a line is written at each multiple of this. */
const STEP_PERCENT = 10;

/** A message with its bar, in less than the width of the terminal, since a longer line is not replaced. */
export function statusLine(message: string, percent: number | null, columns: number): string {
  const indent = 2;
  // With room for the ^C that a terminal adds.
  const after = 4;
  const bar = percent === null ? "" : `${progressBar(percent)} `;
  const room = columns - indent - after - bar.length;
  const end = percent === null ? " ..." : "";
  const text =
    message.length + end.length <= room ? `${message}${end}` : `${truncate(message, room - 3)}...`;
  return `${bar}${room < 10 ? "" : text}`.trimEnd();
}

/** In ASCII, which every console shows. */
export function progressBar(percent: number): string {
  const whole = Math.max(0, Math.min(100, Math.floor(percent)));
  const full = Math.floor((whole * BAR) / 100);
  return `[${"#".repeat(full)}${"-".repeat(BAR - full)}] ${String(whole).padStart(3)}%`;
}

/** Longer lines are hard to read, however wide the window is. */
const WIDEST = 100;

const DEFAULT_COLUMNS = 80;

type Size = Pick<Output, "isTTY" | "columns">;

/** The columns of a terminal; no limit elsewhere, where a program may search line by line. */
export const widthOf = ({ isTTY, columns }: Size): number =>
  isTTY === true ? columns || DEFAULT_COLUMNS : Infinity;

/** The columns for text. */
export const textColumns = ({ isTTY, columns }: Size): number =>
  isTTY === true ? Math.min(columns || WIDEST, WIDEST) : Infinity;

/** A paragraph with its line end, for this output. */
export const paragraph = (text: string, output: Size): string =>
  `${wrapped(text, textColumns(output)).join("\n")}\n`;

/** The last line of the help of each command that takes the settings. */
export const SETTINGS_NOTE =
  "Settings of the server are flags here, too: see foundry-local-mcp --help.\n";

/**
 * Writes a help, or another text about this program, to stdout, with the commands as they are typed here.
 *
 * @returns the exit code 0.
 */
export function printHelp(text: string): number {
  process.stdout.write(asTyped(text));
  return EXIT.done;
}

/** A blank at which no line is broken; {@link wrapped} puts an ordinary one in its place. */
export const TIE = "\u00a0";

/**
 * Breaks a text at its blanks into lines of at most `width` columns. What stands in backticks is to be
 * copied, so it is never broken, nor is a longer word.
 */
export function wrapped(text: string, width: number): string[] {
  return text.split("\n").flatMap((line) => linesOf(line, width));
}

function linesOf(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.match(/(?:`[^`]*`|[^ ])+/g) ?? []) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && longer.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  return [...lines, line].map((each) => each.replaceAll(TIE, " "));
}

/** A line end, blanks before a line end, or a word whose end has come, with the blanks before it. */
const TOKEN = /\n|[^\S\n]+(?=\n)|[^\S\n]*\S+(?=\s)/y;
/** Scripts that put no blanks between words; a terminal breaks their lines itself. */
const WITHOUT_BLANKS = /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\uffff]/;

/**
 * Breaks a text that comes in pieces at its blanks. It holds back each word until the end of the word has
 * come.
 */
export class WrappedText {
  readonly #width: number;
  readonly #indent: string;
  #held = "";
  #column = 0;

  constructor(width: number, indent = "") {
    this.#width = width - indent.length;
    this.#indent = indent;
  }

  /** @returns what can be written now. */
  add(piece: string): string {
    this.#held += piece;
    let ready = "";
    TOKEN.lastIndex = 0;
    let end = 0;
    for (let token = TOKEN.exec(this.#held); token !== null; token = TOKEN.exec(this.#held)) {
      ready += this.#placed(token[0]);
      end = TOKEN.lastIndex;
    }
    this.#held = this.#held.slice(end);
    const isEndless = this.#held.trim().length > this.#width || WITHOUT_BLANKS.test(this.#held);
    return isEndless ? ready + this.end() : ready;
  }

  /** @returns the rest. */
  end(): string {
    const rest = this.#held;
    this.#held = "";
    return this.#placed(rest);
  }

  #placed(token: string): string {
    if (token === "\n") {
      this.#column = 0;
      return token;
    }
    if (token.trim() === "") return "";
    // Without a blank before it, it goes on with a word that was too long to be held back.
    const canBreak = this.#column > 0 && /^\s/.test(token);
    const isBroken = canBreak && this.#column + token.length > this.#width;
    const text = isBroken ? token.trimStart() : token;
    const start = isBroken ? `\n${this.#indent}` : this.#column === 0 ? this.#indent : "";
    this.#column = (isBroken ? 0 : this.#column) + text.length;
    return start + text;
  }
}

export interface Column {
  readonly heading: string;
  readonly isRight?: boolean;
  /** May be shortened in the middle where the table is too wide, down to this many characters. */
  readonly shrinksTo?: number;
}

const GAP = 2;

/**
 * The lines of a table in at most `width` columns. Cells of columns that may shrink are shortened in the
 * middle, the last such column first. Other columns keep their width, whatever the terminal has. Control
 * characters and line breaks in cells become blanks, since what hosts and services wrote must not steer the
 * terminal.
 */
export function columnLines(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
): string[] {
  const clean = (cell: string): string => withoutControls(cell).replace(/\s/g, " ");
  const lines = [columns.map(({ heading }) => heading), ...rows.map((cells) => cells.map(clean))];
  const widths = columns.map((_, index) =>
    Math.max(...lines.map((cells) => (cells[index] ?? "").length)),
  );
  const gaps = GAP * (columns.length - 1);
  let excess = widths.reduce((sum, each) => sum + each, gaps) - width;
  for (const [index, { shrinksTo, heading }] of [...columns.entries()].reverse()) {
    const least = shrinksTo === undefined ? Infinity : Math.max(shrinksTo, heading.length);
    const cut = Math.min(excess, Math.max(0, (widths[index] ?? 0) - least));
    if (cut <= 0) continue;
    widths[index] = (widths[index] ?? 0) - cut;
    excess -= cut;
  }
  return lines.map((cells) =>
    columns
      .map(({ isRight = false }, index) => {
        const room = widths[index] ?? 0;
        const cell = shortened(cells[index] ?? "", room);
        return isRight ? cell.padStart(room) : cell.padEnd(room);
      })
      .join(" ".repeat(GAP))
      .trimEnd(),
  );
}

/** Both ends of a text: the end of a model's name says for which device it is. */
export function shortened(text: string, width: number): string {
  if (text.length <= width) return text;
  const kept = Math.max(0, width - 2);
  const end = Math.floor(kept / 2);
  return `${text.slice(0, kept - end)}..${text.slice(text.length - end)}`;
}
