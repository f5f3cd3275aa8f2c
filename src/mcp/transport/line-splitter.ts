const NEWLINE = 0x0a;

/** Cuts bytes into lines, and only then makes text of them: a character may come in two chunks. */
export class LineSplitter {
  readonly #longest: number;
  #parts: Buffer[] = [];
  #length = 0;
  #isFirst = true;
  /** The rest of a line that grew too long is skipped. */
  #isSkipping = false;

  /** @param longest Bytes of a line; of one that is longer nothing is kept. */
  constructor(longest: number) {
    this.#longest = longest;
  }

  /** Takes the next bytes; yields the lines they complete, `null` for one too long. */
  *push(chunk: Buffer): Generator<string | null, void> {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      this.#keep(chunk.subarray(from, at));
      from = at + 1;
      yield this.#takeLine();
    }
    this.#keep(chunk.subarray(from));
  }

  #keep(part: Buffer): void {
    this.#length += part.length;
    if (this.#length > this.#longest) {
      this.#isSkipping = true;
      this.#parts = [];
    } else {
      this.#parts.push(part);
    }
  }

  #takeLine(): string | null {
    const text = this.#isSkipping ? null : Buffer.concat(this.#parts).toString("utf8");
    // Shells of Windows put a byte order mark before what they pipe.
    const line = this.#isFirst ? (text?.replace(/^\ufeff/, "") ?? null) : text;
    this.#isFirst = false;
    this.#parts = [];
    this.#length = 0;
    this.#isSkipping = false;
    return line;
  }
}
