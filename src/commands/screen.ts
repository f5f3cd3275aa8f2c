/** How a command talks to a person in front of a terminal, or to whatever reads its output instead. */
export interface Screen {
  title(name: string, what?: string): void;
  say(...lines: readonly string[]): void;
  faint(line: string): void;
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

const CLEAR_LINE = "\r\u001b[2K";
const INDENT = "  ";

/** Colours only on a terminal, and not where NO_COLOR asks for none (no-color.org). */
export function terminalScreen(
  output: NodeJS.WriteStream,
  environment: Readonly<Record<string, string | undefined>>,
): Screen {
  const isTerminal = output.isTTY === true;
  const hasColours = isTerminal && !environment["NO_COLOR"] && environment["TERM"] !== "dumb";
  const paint = (code: number, text: string): string =>
    hasColours ? `\u001b[${code}m${text}\u001b[0m` : text;
  let hasStatus = false;
  let isAtLineStart = true;

  const write = (text: string): void => {
    output.write(`${hasStatus ? CLEAR_LINE : ""}${text}`);
    hasStatus = false;
  };
  const indented = (text: string): string => text.replaceAll("\n", `\n${INDENT}`);
  const line = (text: string): void => write(`${INDENT}${indented(text)}\n`);

  return {
    title: (name, what) =>
      write(`\n${paint(1, name)}${what === undefined ? "" : `  ${paint(36, what)}`}\n`),
    say: (...lines) => lines.forEach(line),
    faint: (text) => line(paint(2, text)),
    good: (text) => write(`\n${paint(32, text)}\n`),
    bad: (text) => write(`\n${paint(31, "This step failed.")}\n${INDENT}${indented(text)}\n`),
    verdict: (text) => write(`\n${paint(31, text)}\n`),
    clear: () => write(""),
    status: (text) => {
      if (!isTerminal || !isAtLineStart) return;
      write(`${INDENT}${paint(2, text)}`);
      hasStatus = true;
    },
    stream: (piece) => {
      if (piece === "") return;
      write(`${isAtLineStart ? INDENT : ""}${indented(piece)}`);
      isAtLineStart = false;
    },
    endStream: () => {
      if (!isAtLineStart) write("\n");
      isAtLineStart = true;
    },
  };
}
