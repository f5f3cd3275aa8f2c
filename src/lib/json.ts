import { DEEPEST_JSON, MOST_ANSWER_VALUES, MOST_VALUES } from "./limits.js";
import { percentDecoded } from "./text.js";

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** The value of a JSON text; `undefined` where it is none, or deeper than {@link DEEPEST_JSON}. */
export function jsonFrom(text: string): unknown {
  if (isTooDeep(text, DEEPEST_JSON)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The same for what a service sent: `undefined` also for more values than an answer has. */
export const answerFrom = (text: string): unknown =>
  hasMoreValues(text, MOST_ANSWER_VALUES) ? undefined : jsonFrom(text);

/** Whether a value is an object with members, and no list. */
export const isMembers = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Whether lists and objects are nested more than `most` levels deep in a JSON text. Linear, and without
 * memory of its own, so that it can be asked before the text is parsed.
 */
export function isTooDeep(text: string, most: number): boolean {
  return text.length > most && seekDepth(text, { at: 0, depth: 0 }, most + 1) !== -1;
}

/**
 * The same JSON text, in which `null` stands for each list and object that is nested more than `most`
 * levels deep. So its beginning can be read and answered: nothing that deep is ever an argument that fits.
 * With more than `mostCuts` of them it ends there, and is no JSON.
 */
export function withoutDepths(text: string, most: number, mostCuts = MOST_VALUES): string {
  const parts: string[] = [];
  let at = 0;
  let depth = 0;
  for (;;) {
    const inside = seekDepth(text, { at, depth }, most + 1);
    if (inside === -1) return parts.length === 0 ? text : `${parts.join("")}${text.slice(at)}`;
    parts.push(text.slice(at, inside - 1));
    const behind = seekDepth(text, { at: inside, depth: most + 1 }, most);
    // Never closed, so no JSON with it or without.
    if (behind === -1 || parts.length > 2 * mostCuts) return parts.join("");
    parts.push("null");
    at = behind;
    depth = most;
  }
}

/** Whether a JSON text holds more than about `most` values. Each takes memory and time to be parsed. */
export function hasMoreValues(text: string, most: number): boolean {
  let left = most;
  // A value takes two characters at least, with the comma behind it.
  for (let at = text.length / 2 < most ? -1 : 0; at !== -1 && at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === COMMA) left -= 1;
    else if (code === QUOTE) at = endOfString(text, at);
    if (left === 0) return true;
    if (at === -1) return false;
  }
  return false;
}

/** The index behind the object or list that begins at `start`; -1 where it does not end. */
export const endOfJson = (text: string, start: number): number =>
  seekDepth(text, { at: start, depth: 0 }, 0);

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

  get isInString(): boolean {
    return this.#isInString;
  }

  /** The index behind the end of the open value, or of the one that begins at `start`; -1 where it is still to come. */
  endIn(text: string, start: number): number {
    for (let at = start; at < text.length; at++) {
      this.step(text.charCodeAt(at));
      if (!this.isOpen) return at + 1;
    }
    return -1;
  }

  /** Takes the next UTF-16 code unit. */
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

/** The index behind the first bracket that makes the depth `wanted`; -1 where none does. */
function seekDepth(
  text: string,
  from: { readonly at: number; readonly depth: number },
  wanted: number,
): number {
  let { depth } = from;
  for (let at = from.at; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at);
      if (at === -1) return -1;
    } else if (code === OPEN_LIST || code === OPEN_OBJECT) {
      depth += 1;
      if (depth === wanted) return at + 1;
    } else if (code === CLOSE_LIST || code === CLOSE_OBJECT) {
      depth -= 1;
      if (depth === wanted) return at + 1;
    }
  }
  return -1;
}

/** The index of the quote that ends the string which begins at `start`; -1 where none does. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let first = at;
    while (text.charCodeAt(first - 1) === BACKSLASH) first -= 1;
    // An even number of backslashes escape each other, and not the quote.
    if ((at - first) % 2 === 0) return at;
  }
  return -1;
}

/**
 * The part of a document that a reference such as `#/$defs/Size` is to; `undefined` where there is none.
 * Its names are percent-encoded, as parts of an address, or not, as some generators write them.
 */
export function referredTo(reference: string, root: unknown): unknown {
  const [start, ...steps] = reference.split("/");
  let at = start === "#" ? root : undefined;
  for (const step of steps) {
    const name = [step, percentDecoded(step)]
      .map((each) => each.replaceAll("~1", "/").replaceAll("~0", "~"))
      .find((each) => isMembers(at) && Object.hasOwn(at, each));
    at = isMembers(at) && name !== undefined ? at[name] : undefined;
  }
  return at;
}

/** The members of an object as JSON: equal for equal members, in whatever order they are. */
export function membersKey(value: object): string {
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return JSON.stringify(members.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The same value with the names of all members in snake case, as results of tools have them. */
export function inSnakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inSnakeCase);
  if (!isMembers(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [snakeCase(name), inSnakeCase(member)]),
  );
}

/** Codes of errors, which are names of members, too, stay as they are. */
const snakeCase = (name: string): string =>
  /^[a-z]/.test(name) ? name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) : name;
