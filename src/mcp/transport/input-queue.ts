import { WAITING_LINE } from "../../lib/index.js";

const COMPACT_AT = 64;

/** Lines that wait for their turn; `null` stands for one that was too long. */
export class InputQueue {
  #lines: (string | null)[] = [];
  #next = 0;
  #length = 0;

  /** How much waits, each line with what it takes besides its text. */
  get length(): number {
    return this.#length;
  }

  add(line: string | null): void {
    this.#lines.push(line);
    this.#length += sizeOf(line);
  }

  next(): string | null | undefined {
    const line = this.#lines[this.#next];
    if (line === undefined) {
      this.clear();
      return undefined;
    }
    // A taken line is not kept until those after it are taken.
    this.#lines[this.#next] = null;
    this.#next += 1;
    this.#length -= sizeOf(line);
    // Moved together now and then, so that a line costs the same however many wait.
    if (this.#next >= COMPACT_AT && this.#next * 2 >= this.#lines.length) {
      this.#lines = this.#lines.slice(this.#next);
      this.#next = 0;
    }
    return line;
  }

  clear(): void {
    this.#lines = [];
    this.#next = 0;
    this.#length = 0;
  }
}

const sizeOf = (line: string | null): number => WAITING_LINE + (line?.length ?? 0);
