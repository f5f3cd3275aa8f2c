/** Longer lines are hard to read, however wide the window is. */
const WIDEST = 100;

/** `process.stdout`, as far as it matters here. */
interface Lines {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** The columns for text on a terminal; no limit elsewhere, where a program may search line by line. */
export const textColumns = ({ isTTY, columns }: Lines): number =>
  isTTY === true ? Math.min(columns || WIDEST, WIDEST) : Infinity;

/** A paragraph with its line end, for this output. */
export const paragraph = (text: string, output: Lines): string =>
  `${wrapped(text, textColumns(output)).join("\n")}\n`;

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
