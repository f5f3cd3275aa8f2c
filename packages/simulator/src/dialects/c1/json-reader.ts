/** Where a value of the request stands, for the messages about it. */
interface Placed {
  /** Bytes up to the end of the value. */
  readonly end: number;
}

/** JSON with the places of its values. */
export type JsonNode = Placed &
  (
    | { readonly kind: "object"; readonly members: ReadonlyMap<string, JsonNode> }
    | { readonly kind: "array"; readonly items: readonly JsonNode[] }
    /** `null`: bytes or escapes that are no Unicode. */
    | { readonly kind: "string"; readonly text: string | null }
    /** As it is written. */
    | { readonly kind: "number"; readonly text: string }
    | { readonly kind: "literal"; readonly value: boolean | null }
  );

/** A body that cannot be read, in the words of System.Text.Json. */
export class JsonFailure extends Error {}

/** The words of System.Text.Json about a place in a body. */
export function failureAt(bytes: Buffer, what: string, path: string, offset: number): JsonFailure {
  const before = bytes.subarray(0, offset);
  const line = before.filter((byte) => byte === LINE_FEED).length;
  const column = offset - (before.lastIndexOf(LINE_FEED) + 1);
  return new JsonFailure(
    `${what} Path: ${path} | LineNumber: ${line} | BytePositionInLine: ${column}.`,
  );
}

/** A member's path below another. */
export function memberPath(path: string, name: string): string {
  return /^[^.' /"[\]()\t\n\r\f\b\\\u0085\u2028\u2029]*$/.test(name)
    ? `${path}.${name}`
    : `${path}['${name}']`;
}

/** The value as JavaScript has it; what is no Unicode becomes the replacement character. */
export function plainValue(node: JsonNode): unknown {
  switch (node.kind) {
    case "object":
      return Object.fromEntries([...node.members].map(([name, item]) => [name, plainValue(item)]));
    case "array":
      return node.items.map(plainValue);
    case "string":
      return node.text ?? "\uFFFD";
    case "number":
      return Number(node.text);
    case "literal":
      return node.value;
  }
}

/** @throws {JsonFailure} when it is no JSON. Only the first two messages below were seen on a running service. */
export function readJson(bytes: Buffer): JsonNode {
  return new JsonReader(bytes).document();
}

const NO_TOKENS =
  "The input does not contain any JSON tokens. Expected the input to start with a valid JSON token, when isFinalBlock is true.";
const OPEN =
  "Expected depth to be zero at the end of the JSON payload. There is an open JSON object or array that should be closed.";
const LINE_FEED = 0x0a;
const MAX_DEPTH = 64;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = new Set([0x20, 0x09, LINE_FEED, 0x0d]);
const LITERALS = { t: true, f: false, n: null } as const;
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/;

class JsonReader {
  #at = 0;
  #depth = 0;

  constructor(private readonly bytes: Buffer) {}

  document(): JsonNode {
    this.#skipSpace();
    if (this.#at === this.bytes.length) throw this.#failure(NO_TOKENS, "$");
    const node = this.#value("$");
    this.#skipSpace();
    if (this.#at < this.bytes.length) {
      throw this.#failure(
        `'${this.#here()}' is invalid after a single JSON value. Expected end of data.`,
        "$",
      );
    }
    return node;
  }

  #value(path: string): JsonNode {
    this.#skipSpace();
    const first = this.#here();
    if (first === "{") return this.#nested("object", () => this.#object(path), path);
    if (first === "[") return this.#nested("array", () => this.#array(path), path);
    if (first === '"') {
      const text = this.#string(path);
      return { kind: "string", text, end: this.#at };
    }
    if (first === "t" || first === "f" || first === "n") return this.#literal(first, path);
    if (/[-\d]/.test(first)) return this.#number(path);
    if (first === "") throw this.#failure(OPEN, path);
    throw this.#failure(`'${first}' is an invalid start of a value.`, path);
  }

  #nested(kind: "object" | "array", read: () => JsonNode, path: string): JsonNode {
    if (this.#depth === MAX_DEPTH) {
      throw this.#failure(
        `The maximum configured depth of ${MAX_DEPTH} has been exceeded. Cannot read next JSON ${kind}.`,
        path,
      );
    }
    this.#depth += 1;
    const node = read();
    this.#depth -= 1;
    return node;
  }

  #object(path: string): JsonNode {
    const members = new Map<string, JsonNode>();
    this.#at += 1;
    let inner = path;
    for (;;) {
      this.#skipSpace();
      if (this.#here() === "}" && members.size === 0) break;
      if (this.#here() === "") throw this.#failure(OPEN, inner);
      if (this.#here() === "}") throw this.#failure(trailingComma("object"), inner);
      if (this.#here() !== '"') {
        throw this.#failure(
          `'${this.#here()}' is an invalid start of a property name. Expected a '"'.`,
          inner,
        );
      }
      const name = this.#string(inner) ?? "\uFFFD";
      inner = memberPath(path, name);
      this.#skipSpace();
      if (this.#here() === "") throw this.#failure(OPEN, inner);
      if (this.#here() !== ":") {
        throw this.#failure(
          `'${this.#here()}' is invalid after a property name. Expected a ':'.`,
          inner,
        );
      }
      this.#at += 1;
      members.set(name, this.#value(inner));
      if (!this.#goesOn("}", inner)) break;
    }
    this.#at += 1;
    return { kind: "object", members, end: this.#at };
  }

  #array(path: string): JsonNode {
    const items: JsonNode[] = [];
    this.#at += 1;
    for (;;) {
      const inner = `${path}[${items.length}]`;
      this.#skipSpace();
      if (this.#here() === "]" && items.length === 0) break;
      if (this.#here() === "]") throw this.#failure(trailingComma("array"), inner);
      items.push(this.#value(inner));
      if (!this.#goesOn("]", inner)) break;
    }
    this.#at += 1;
    return { kind: "array", items, end: this.#at };
  }

  /** Whether a comma follows, and with it another value; otherwise it stands at `close`. */
  #goesOn(close: string, path: string): boolean {
    this.#skipSpace();
    const next = this.#here();
    if (next === close) return false;
    if (next === "") throw this.#failure(OPEN, path);
    if (next !== ",") {
      throw this.#failure(
        `'${next}' is invalid after a value. Expected either ',', '}', or ']'.`,
        path,
      );
    }
    this.#at += 1;
    return true;
  }

  #string(path: string): string | null {
    const start = this.#at;
    this.#at += 1;
    for (;;) {
      const byte = this.bytes[this.#at];
      if (byte === undefined) {
        throw this.#failure("Expected end of string, but instead reached end of data.", path);
      }
      if (byte === QUOTE) break;
      if (byte < 0x20) {
        throw this.#failure(
          `'0x${byte.toString(16).toUpperCase().padStart(2, "0")}' is invalid within a JSON string. The string should be correctly escaped.`,
          path,
        );
      }
      this.#at += byte === BACKSLASH ? 2 : 1;
    }
    this.#at += 1;
    return this.#decoded(this.bytes.subarray(start, this.#at), path);
  }

  #decoded(quoted: Buffer, path: string): string | null {
    let text: unknown;
    try {
      const source = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(quoted);
      text = JSON.parse(source);
    } catch (error) {
      if (!(error instanceof SyntaxError)) return null;
      throw this.#failure("The string contains an invalid escape sequence.", path);
    }
    if (typeof text !== "string") return null;
    return /\p{Surrogate}/u.test(text) ? null : text;
  }

  #literal(first: keyof typeof LITERALS, path: string): JsonNode {
    const value = LITERALS[first];
    const word = String(value);
    const found = this.bytes.toString("latin1", this.#at, this.#at + word.length);
    if (found !== word) {
      throw this.#failure(
        `'${found}' is an invalid JSON literal. Expected the literal '${word}'.`,
        path,
      );
    }
    this.#at += word.length;
    return { kind: "literal", value, end: this.#at };
  }

  #number(path: string): JsonNode {
    const text = NUMBER.exec(this.bytes.toString("latin1", this.#at, this.#at + 400))?.[0];
    if (text === undefined) {
      this.#at += 1;
      throw this.#failure(
        `'${this.#here()}' is invalid within a number, immediately after a sign character ('-'). Expected a digit ('0'-'9').`,
        path,
      );
    }
    this.#at += text.length;
    return { kind: "number", text, end: this.#at };
  }

  #skipSpace(): void {
    while (SPACE.has(this.bytes[this.#at] ?? 0)) this.#at += 1;
  }

  /** Empty at the end. */
  #here(): string {
    return this.bytes.toString("latin1", this.#at, this.#at + 1);
  }

  #failure(what: string, path: string): JsonFailure {
    return failureAt(this.bytes, what, path, this.#at);
  }
}

function trailingComma(of: "object" | "array"): string {
  return `The JSON ${of} contains a trailing comma at the end which is not supported in this mode. Change the reader options.`;
}
