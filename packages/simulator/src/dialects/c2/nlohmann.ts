import { Lexer, type Token } from "./json-lexer.js";

/**
 * Reads JSON as nlohmann/json 3.11 does, for its messages: the service passes them on to the
 * client word for word (`docs/foundry-local.md`, section 5).
 */

/** What nlohmann throws; `message` begins with its name in brackets. */
export class JsonError extends Error {}

export interface ParsedJson {
  readonly value: unknown;
  /** Top-level members whose number was written with a point or an exponent. */
  readonly fractions: ReadonlySet<string>;
}

/** @throws {JsonError} with nlohmann's message. */
export function parseJson(text: string): ParsedJson {
  return new Parser(text).parse();
}

/** An array or object that has begun and not ended. */
interface Open {
  readonly end: "]" | "}";
  /** As the messages call it. */
  readonly name: "array" | "object";
  readonly items: unknown[];
  /** Of an object, one for each item. */
  readonly keys: string[];
}

/** Without recursion, as nlohmann's: no depth is too deep, and none ends the process. */
class Parser {
  readonly #lexer: Lexer;
  readonly #fractions = new Set<string>();
  readonly #open: Open[] = [];

  constructor(text: string) {
    this.#lexer = new Lexer(text);
  }

  parse(): ParsedJson {
    let token = this.#lexer.next();
    for (;;) {
      let value = this.#scalar(token);
      if (value === undefined) {
        const begun = begunBy(token);
        token = this.#lexer.next();
        if (!isSign(token, begun.end)) {
          this.#open.push(begun);
          token = this.#valueIn(begun, token);
          continue;
        }
        value = closed(begun);
      }
      token = this.#lexer.next();
      let around = this.#open.at(-1);
      for (; around !== undefined; around = this.#open.at(-1)) {
        around.items.push(value);
        if (!isSign(token, around.end)) break;
        this.#open.pop();
        value = closed(around);
        token = this.#lexer.next();
      }
      if (around === undefined) {
        if (token.kind !== "end") throw this.#error(token, "value", "end of input");
        return { value, fractions: this.#fractions };
      }
      if (!isSign(token, ",")) throw this.#error(token, around.name, `'${around.end}'`);
      token = this.#valueIn(around, this.#lexer.next());
    }
  }

  /** The value of a token; `undefined` when it only begins an array or an object. */
  #scalar(token: Token): unknown {
    if (token.kind === "string" || token.kind === "literal") return token.value;
    if (token.kind === "number") {
      const [top] = this.#open;
      if (!token.whole && this.#open.length === 1) this.#fractions.add(top?.keys.at(-1) ?? "");
      return token.value;
    }
    if (isSign(token, "[") || isSign(token, "{")) return undefined;
    throw this.#error(token, "value", token.kind === "wrong" ? null : "'[', '{', or a literal");
  }

  /** Reads key and colon where there have to be any; the token that begins the value. */
  #valueIn(open: Open, token: Token): Token {
    if (open.name === "array") return token;
    if (token.kind !== "string") throw this.#error(token, "object key", "string literal");
    open.keys.push(token.value);
    const colon = this.#lexer.next();
    if (!isSign(colon, ":")) throw this.#error(colon, "object separator", "':'");
    return this.#lexer.next();
  }

  #error(token: Token, context: string, expected: string | null): JsonError {
    const what =
      token.kind === "wrong"
        ? `${token.why}; last read: '${this.#lexer.lastRead}'`
        : `unexpected ${nameOf(token)}`;
    const wanted = expected === null ? "" : `; expected ${expected}`;
    return new JsonError(
      `[json.exception.parse_error.101] parse error at line ${this.#lexer.line}, column ` +
        `${this.#lexer.column}: syntax error while parsing ${context} - ${what}${wanted}`,
    );
  }
}

function begunBy(token: Token): Open {
  return isSign(token, "[")
    ? { end: "]", name: "array", items: [], keys: [] }
    : { end: "}", name: "object", items: [], keys: [] };
}

function closed({ name, items, keys }: Open): unknown {
  return name === "array" ? items : Object.fromEntries(keys.map((key, at) => [key, items[at]]));
}

function isSign(token: Token, sign: string): boolean {
  return token.kind === "sign" && token.sign === sign;
}

function nameOf(token: Token): string {
  switch (token.kind) {
    case "sign":
      return `'${token.sign}'`;
    case "literal":
      return `${token.value} literal`;
    case "end":
      return "end of input";
    default:
      return `${token.kind} literal`;
  }
}
