/** The tokens of JSON, and what is wrong with one that is none, in the words of nlohmann/json. */
export type Token =
  | { readonly kind: "sign"; readonly sign: "{" | "}" | "[" | "]" | ":" | "," }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "number"; readonly value: number; readonly whole: boolean }
  | { readonly kind: "literal"; readonly value: true | false | null }
  | { readonly kind: "end" }
  | { readonly kind: "wrong"; readonly why: string };

/** Cuts JSON into tokens and keeps count of where it is; columns are bytes. */
export class Lexer {
  line = 1;
  column = 0;
  #read = "";
  #at = 0;

  constructor(private readonly text: string) {}

  /** What nlohmann calls the token string: everything since the last string or number began. */
  get lastRead(): string {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is written out.
    return this.#read.replace(/[\u0000-\u001f]/g, (control) => `<${codeOf(control)}>`);
  }

  next(): Token {
    let char = this.#get();
    while (char !== null && " \t\n\r".includes(char)) char = this.#get();
    if (char === null) return { kind: "end" };
    switch (char) {
      case "{":
      case "}":
      case "[":
      case "]":
      case ":":
      case ",":
        return { kind: "sign", sign: char };
      case "t":
        return this.#literal("true", true);
      case "f":
        return this.#literal("false", false);
      case "n":
        return this.#literal("null", null);
      case '"':
        return this.#string();
      default:
        return char === "-" || isDigit(char)
          ? this.#number(char)
          : { kind: "wrong", why: "invalid literal" };
    }
  }

  #get(): string | null {
    const code = this.text.codePointAt(this.#at);
    if (code === undefined) {
      this.column += 1;
      this.#at += 1;
      return null;
    }
    const char = String.fromCodePoint(code);
    this.#at += char.length;
    this.column += Buffer.byteLength(char);
    this.#read += char;
    if (char === "\n") {
      this.line += 1;
      this.column = 0;
    }
    return char;
  }

  #unget(char: string | null): void {
    this.column = Math.max(0, this.column - (char === null ? 1 : Buffer.byteLength(char)));
    if (char === "\n") this.line -= 1;
    this.#at -= char?.length ?? 1;
    if (char !== null) this.#read = this.#read.slice(0, -char.length);
  }

  #literal(word: string, value: true | false | null): Token {
    for (const expected of word.slice(1)) {
      if (this.#get() !== expected) return { kind: "wrong", why: "invalid literal" };
    }
    return { kind: "literal", value };
  }

  #string(): Token {
    this.#read = '"';
    const from = this.#at;
    for (;;) {
      const char = this.#get();
      if (char === null) return { kind: "wrong", why: "invalid string: missing closing quote" };
      if (char === '"') {
        const value: unknown = JSON.parse(`"${this.text.slice(from, this.#at)}`);
        return { kind: "string", value: String(value) };
      }
      if (char < " ") return { kind: "wrong", why: controlCharacter(char) };
      if (char === "\\") {
        const why = this.#escape();
        if (why !== null) return { kind: "wrong", why: `invalid string: ${why}` };
      }
    }
  }

  /** What is wrong with an escape, if anything. */
  #escape(): string | null {
    const char = this.#get();
    if (char !== "u") {
      const known = char !== null && '"\\/bfnrt'.includes(char);
      return known ? null : "forbidden character after backslash";
    }
    const unit = this.#hex();
    if (unit === null) return NO_HEX;
    if (unit >= 0xdc00 && unit <= 0xdfff) {
      return "surrogate U+DC00..U+DFFF must follow U+D800..U+DBFF";
    }
    if (unit < 0xd800 || unit > 0xdbff) return null;
    if (this.#get() !== "\\" || this.#get() !== "u") return LONE_SURROGATE;
    const second = this.#hex();
    if (second === null) return NO_HEX;
    return second >= 0xdc00 && second <= 0xdfff ? null : LONE_SURROGATE;
  }

  #hex(): number | null {
    let digits = "";
    for (let count = 0; count < 4; count += 1) {
      const digit = this.#get();
      if (digit === null || !/[0-9a-fA-F]/.test(digit)) return null;
      digits += digit;
    }
    return Number.parseInt(digits, 16);
  }

  #number(first: string): Token {
    this.#read = first;
    let text = first;
    const peeked = () => {
      const char = this.#get();
      this.#unget(char);
      return char;
    };
    const takeAny = (allowed: string): string => {
      let taken = "";
      for (let char = this.#get(); ; char = this.#get()) {
        if (char === null || !allowed.includes(char)) {
          this.#unget(char);
          text += taken;
          return taken;
        }
        taken += char;
        if (allowed !== DIGITS) {
          text += taken;
          return taken;
        }
      }
    };
    const wrong = (after: string): Token => {
      this.#get();
      return { kind: "wrong", why: `invalid number; expected ${after}` };
    };
    if (first === "-") {
      if (peeked() === "0") takeAny("0");
      else if (takeAny(DIGITS) === "") return wrong("digit after '-'");
    } else if (first !== "0") takeAny(DIGITS);
    const point = takeAny(".") !== "";
    if (point && takeAny(DIGITS) === "") return wrong("digit after '.'");
    const exponent = takeAny("eE") !== "";
    if (exponent) {
      const signed = takeAny("+-") !== "";
      if (takeAny(DIGITS) === "") {
        return wrong(signed ? "digit after exponent sign" : "'+', '-', or digit after exponent");
      }
    }
    const value = Number(text);
    if (!Number.isFinite(value)) {
      throw new NumberOverflow(
        `[json.exception.out_of_range.406] number overflow parsing '${text}'`,
      );
    }
    return { kind: "number", value, whole: !point && !exponent };
  }
}

/** The one mistake in JSON that the handlers do not catch: it reaches the framework. */
export class NumberOverflow extends Error {}

const NO_HEX = "'\\u' must be followed by 4 hex digits";
const LONE_SURROGATE = "surrogate U+D800..U+DBFF must be followed by U+DC00..U+DFFF";

const SHORT: Readonly<Record<string, string>> = {
  "\b": "\\b",
  "\t": "\\t",
  "\n": "\\n",
  "\f": "\\f",
  "\r": "\\r",
};
const NAMES: readonly string[] = (
  "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN " +
  "EM SUB ESC FS GS RS US"
).split(" ");

function controlCharacter(char: string): string {
  const code = codeOf(char);
  const short = SHORT[char] === undefined ? "" : ` or ${SHORT[char]}`;
  const name = NAMES[char.charCodeAt(0)] ?? "";
  return `invalid string: control character ${code} (${name}) must be escaped to \\u${code.slice(2)}${short}`;
}

function codeOf(char: string): string {
  return `U+${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

const DIGITS = "0123456789";

function isDigit(char: string): boolean {
  return char >= "0" && char <= "9";
}
