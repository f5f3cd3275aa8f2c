import type { Output } from "../terminal.js";

const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const CLEAR_LINE_END = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";
const DEFAULT_ROWS = 24;

/** The whole terminal, drawn again and again without flicker. What was on it is back at the end. */
export class LiveScreen {
  readonly #output: NodeJS.WriteStream;
  readonly #restore = (): void => void this.#output.write(LEAVE);

  constructor(output: NodeJS.WriteStream) {
    this.#output = output;
    output.write(ENTER);
    // A second Ctrl+C ends the process at once.
    process.once("exit", this.#restore);
  }

  /** Shows what is written, as far as it fits. */
  show(write: (output: Output) => void): void {
    let text = "";
    const { isTTY, columns } = this.#output;
    write({
      isTTY,
      columns,
      write: (piece) => {
        text += piece;
      },
    });
    this.#output.write(frameOf(text, this.#output.rows || DEFAULT_ROWS));
  }

  close(): void {
    process.off("exit", this.#restore);
    this.#restore();
  }
}

/** One drawing of the screen, in at most so many rows. */
export function frameOf(text: string, rows: number): string {
  const lines = text.replace(/\n+$/, "").split("\n");
  const cut = lines.length - rows;
  const shown = cut > 0 ? [...lines.slice(0, rows - 1), `  ${cut + 1} more lines`] : lines;
  return `${HOME}${shown.map((line) => line + CLEAR_LINE_END).join("\r\n")}${CLEAR_BELOW}`;
}
