const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Follows the brackets of JSON in a text that comes in pieces. A quote counts within brackets only. */
export class Brackets {
  #depth = 0;
  #objects = 0;
  #isInString = false;
  #isEscaped = false;

  /** Whether a list or an object is open. */
  get isOpen(): boolean {
    return this.#depth > 0;
  }

  get isInObject(): boolean {
    return this.#objects > 0;
  }

  step(code: number): void {
    if (this.#isInString) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (code === BACKSLASH) this.#isEscaped = true;
      else if (code === QUOTE) this.#isInString = false;
    } else if (code === QUOTE) {
      this.#isInString = this.isOpen;
    } else if (code === OPEN_LIST || code === OPEN_OBJECT) {
      this.#depth += 1;
      if (code === OPEN_OBJECT) this.#objects += 1;
    } else if (code === CLOSE_LIST || code === CLOSE_OBJECT) {
      this.#depth = Math.max(0, this.#depth - 1);
      if (code === CLOSE_OBJECT) this.#objects = Math.max(0, this.#objects - 1);
    }
  }
}

interface FoundObjects {
  /** The text of each object that is not within another one. */
  readonly whole: readonly string[];
  /** An object at the end that is not closed; empty where there is none. */
  readonly open: string;
}

/** The objects in a text, also in lists that are never closed. */
export function objectsIn(text: string, most: number): FoundObjects {
  const brackets = new Brackets();
  const whole: string[] = [];
  let from = -1;
  for (let at = 0; at < text.length && whole.length < most; at++) {
    brackets.step(text.charCodeAt(at));
    if (from === -1 && brackets.isInObject) from = at;
    if (from === -1 || brackets.isInObject) continue;
    whole.push(text.slice(from, at + 1));
    from = -1;
  }
  return { whole, open: from === -1 || whole.length === most ? "" : text.slice(from) };
}
