import { withoutControls } from "../../lib/index.js";
import { asTyped } from "./typed-command.js";
import { textColumns, WrappedText, wrapped } from "./wrap.js";

/** How a command talks to a person in front of a terminal, or to whatever reads its output instead. */
export interface Screen {
  title(name: string, what?: string): void;
  say(...lines: readonly string[]): void;
  /** Facts with their names before them, one below the other. */
  table(rows: readonly (readonly [name: string, value: string])[]): void;
  faint(line: string): void;
  /** Lines of a file, which are not broken. */
  verbatim(lines: string): void;
  good(line: string): void;
  bad(text: string): void;
  /** That all in all it does not work. */
  verdict(line: string): void;
  /** Takes a status line away. */
  clear(): void;
  /** A line that the next output replaces. On anything but a terminal it is left out. */
  status(line: string): void;
  /** A piece of a text that comes bit by bit. */
  stream(piece: string): void;
  endStream(): void;
}

/** `process.stdout`, as far as it matters here. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const CLEAR_LINE = "\r\u001b[2K";
const INDENT = "  ";

/** Colours only on a terminal, and not where NO_COLOR asks for none (no-color.org). */
export function terminalScreen(
  output: Output,
  environment: Readonly<Record<string, string | undefined>>,
): Screen {
  const isTerminal = output.isTTY === true;
  const hasColours = isTerminal && !environment["NO_COLOR"] && environment["TERM"] !== "dumb";
  const paint = (code: number, text: string): string =>
    hasColours ? `\u001b[${code}m${text}\u001b[0m` : text;
  let hasStatus = false;
  let isAtLineStart = true;
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

  const deeper = (text: string): string => indented(text).replaceAll("\n", `\n${INDENT}`);

  return {
    title: (name, what) => {
      const beside =
        what === undefined ? "" : broken(what, name.length).replaceAll(/\n */g, `\n${INDENT}`);
      write(`\n${paint(1, name)}${beside === "" ? "" : `  ${paint(36, beside)}`}\n`);
    },
    say: (...lines) => lines.forEach(line),
    table: (rows) => {
      const column = Math.max(...rows.map(([name]) => name.length)) + 2;
      for (const [name, value] of rows) {
        const beside = indented(broken(value, column));
        write(`${INDENT}${paint(2, name.padEnd(column))}${beside}\n`);
      }
    },
    faint: (text) => write(`${INDENT}${paint(2, indented(broken(text)))}\n`),
    verbatim: (text) => write(`${INDENT}${INDENT}${paint(2, deeper(text))}\n`),
    good: (text) => write(`\n${paint(32, withoutControls(asTyped(text)))}\n`),
    bad: (text) =>
      write(`\n${paint(31, "This step failed.")}\n${INDENT}${indented(asTyped(text))}\n`),
    verdict: (text) => write(`\n${paint(31, withoutControls(asTyped(text)))}\n`),
    clear: () => write(""),
    status: (text) => {
      if (!isTerminal || !isAtLineStart) return;
      write(`${INDENT}${paint(2, indented(text))}`);
      hasStatus = true;
    },
    stream: (piece) => {
      if (piece === "") return;
      const ready = streamed.add(withoutControls(piece).replaceAll("\r", " "));
      if (ready !== "") write(ready);
      isAtLineStart = false;
    },
    endStream: () => {
      if (!isAtLineStart) write(`${streamed.end()}\n`);
      streamed = new WrappedText(textColumns(output), INDENT);
      isAtLineStart = true;
    },
  };
}
