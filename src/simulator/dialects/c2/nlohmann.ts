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

class Parser {
  readonly #lexer: Lexer;
  readonly #fractions = new Set<string>();
  #depth = 0;
  #key = "";

  constructor(text: string) {
    this.#lexer = new Lexer(text);
  }

  parse(): ParsedJson {
    const value = this.#value(this.#lexer.next());
    const after = this.#lexer.next();
    if (after.kind !== "end") throw this.#error(after, "value", "end of input");
    return { value, fractions: this.#fractions };
  }

  #value(token: Token): unknown {
    if (token.kind === "string" || token.kind === "literal") return token.value;
    if (token.kind === "number") {
      if (!token.whole && this.#depth === 1) this.#fractions.add(this.#key);
      return token.value;
    }
    if (token.kind === "sign" && token.sign === "[") return this.#array();
    if (token.kind === "sign" && token.sign === "{") return this.#object();
    throw this.#error(token, "value", token.kind === "wrong" ? null : "'[', '{', or a literal");
  }

  #array(): unknown[] {
    const items: unknown[] = [];
    this.#depth += 1;
    let token = this.#lexer.next();
    if (!isSign(token, "]")) {
      for (;;) {
        items.push(this.#value(token));
        token = this.#lexer.next();
        if (isSign(token, "]")) break;
        if (!isSign(token, ",")) throw this.#error(token, "array", "']'");
        token = this.#lexer.next();
      }
    }
    this.#depth -= 1;
    return items;
  }

  #object(): Record<string, unknown> {
    const members: [string, unknown][] = [];
    this.#depth += 1;
    let token = this.#lexer.next();
    if (!isSign(token, "}")) {
      for (;;) {
        if (token.kind !== "string") throw this.#error(token, "object key", "string literal");
        const key = token.value;
        const colon = this.#lexer.next();
        if (!isSign(colon, ":")) throw this.#error(colon, "object separator", "':'");
        if (this.#depth === 1) this.#key = key;
        members.push([key, this.#value(this.#lexer.next())]);
        token = this.#lexer.next();
        if (isSign(token, "}")) break;
        if (!isSign(token, ",")) throw this.#error(token, "object", "'}'");
        token = this.#lexer.next();
      }
    }
    this.#depth -= 1;
    return Object.fromEntries(members);
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
