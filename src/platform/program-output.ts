import { TextDecoder } from "node:util";
import { LONGEST_OUTPUT_LINE, MOST_OUTPUT_BYTES, truncate } from "../lib/index.js";

/** What is kept of one stream: as much of its beginning and of its end, in characters. */
const KEPT_EACH = 512 * 1024;

/**
 * What a program writes to one of its streams, decoded as it comes and kept within a bound: a
 * program that floods its output costs no more than its first and its last words.
 */
export class ProgramOutput {
  #decoder: TextDecoder | null = null;
  /** The first bytes, until there are enough to detect the encoding. */
  #first = Buffer.alloc(0);
  #head = "";
  #tail = "";
  #leftOut = 0;
  #bytes = 0;

  /** Bytes so far, those that were dropped included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes bytes; returns the text that they complete, which may be none. */
  add(bytes: Buffer): string {
    this.#bytes += bytes.length;
    if (this.#bytes > MOST_OUTPUT_BYTES) return "";
    if (this.#decoder !== null) return this.#keep(this.#decoder.decode(bytes, { stream: true }));
    this.#first = Buffer.concat([this.#first, bytes]);
    if (this.#first.length < 2) return "";
    this.#decoder = decoderFor(this.#first);
    return this.#keep(this.#decoder.decode(this.#first, { stream: true }));
  }

  /** What had not become text yet, now that no more will come. */
  end(): string {
    if (this.#decoder !== null) return this.#keep(this.#decoder.decode());
    this.#decoder = new TextDecoder();
    return this.#keep(this.#decoder.decode(this.#first));
  }

  get text(): string {
    if (this.#leftOut === 0) return this.#head + this.#tail;
    return `${this.#head}\n(${this.#leftOut} characters left out)\n${this.#tail}`;
  }

  #keep(text: string): string {
    const room = KEPT_EACH - this.#head.length;
    this.#head += text.slice(0, room);
    this.#tail += text.slice(room);
    // Cut at twice the size rather than at each piece, which would copy all of it each time.
    if (this.#tail.length > 2 * KEPT_EACH) {
      this.#leftOut += this.#tail.length - KEPT_EACH;
      this.#tail = this.#tail.slice(-KEPT_EACH);
    }
    return text;
  }
}

/** The lines of an output that comes in pieces; of a line that is too long, its beginning. */
export class OutputLines {
  readonly #onLine: (line: string) => void;
  readonly #output = new ProgramOutput();
  #unfinished = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  add(bytes: Buffer): void {
    this.#take(this.#output.add(bytes));
  }

  end(): void {
    this.#take(this.#output.end());
    if (this.#unfinished !== "") this.#onLine(this.#unfinished);
    this.#unfinished = "";
  }

  #take(text: string): void {
    const lines = (this.#unfinished + text).split(/\r?\n/);
    this.#unfinished = truncate(lines.pop() ?? "", LONGEST_OUTPUT_LINE);
    for (const line of lines) this.#onLine(truncate(line, LONGEST_OUTPUT_LINE));
  }
}

/** UTF-8, or the UTF-16 that some programs of Windows write to a pipe. A byte order mark is dropped. */
function decoderFor(first: Buffer): TextDecoder {
  const isUtf16 = (first[0] === 0xff && first[1] === 0xfe) || (first[0] !== 0 && first[1] === 0);
  return new TextDecoder(isUtf16 ? "utf-16le" : "utf-8");
}
