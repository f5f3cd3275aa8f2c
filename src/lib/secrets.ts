import { hash, timingSafeEqual } from "node:crypto";
import { escapeRegExp, overlap } from "./text.js";

/** What stands for a secret where one was quoted. */
const HIDDEN = "(secret)";
/** Shorter values, `local` for one, are words of many a message, and no secrets. */
const SHORTEST_SECRET = 6;
/** Header values that say nothing about the caller. */
const PUBLIC_HEADERS = new Set(["accept", "accept-language", "content-type", "user-agent"]);

/**
 * Hides the credentials of one client in texts from outside: a service or a proxy may quote what was
 * sent to it. Finds them as they are, percent-encoded, escaped for JSON and in base64,
 * in upper and lower case.
 *
 * @example
 * new SecretMask(["sk-0123456789"]).hide("bad token Bearer sk-0123456789"); // "bad token Bearer (secret)"
 */
export class SecretMask {
  /** Of these also a beginning is hidden, at the end of a text. The longest first. */
  readonly #forms: readonly string[];
  readonly #pattern: RegExp | null;

  /** @param wholes Secrets of which only the whole is hidden. */
  constructor(secrets: readonly string[], wholes: readonly string[] = []) {
    this.#forms = formsOfAll(secrets);
    const escaped = formsOfAll([...secrets, ...wholes]).map(escapeRegExp);
    this.#pattern = escaped.length === 0 ? null : new RegExp(escaped.join("|"), "gi");
  }

  /**
   * The values of request headers, each alone and without its scheme (`Bearer`). A value begins with
   * its scheme, which is no secret where a text ends with it.
   */
  static ofHeaders(headers: Readonly<Record<string, string>>): SecretMask {
    const values = Object.entries(headers)
      .filter(([name]) => !PUBLIC_HEADERS.has(name.toLowerCase()))
      .map(([, value]) => value.trim());
    const credentials = values.flatMap((value) => [
      value.replace(/^[A-Za-z]+\s+/, ""),
      ...passwordOf(value),
    ]);
    return new SecretMask(credentials, values);
  }

  /** The text with no secret in it, and without the beginning of one that was cut off at its end. */
  hide(text: string): string {
    if (this.#pattern === null) return text;
    const hidden = text.replace(this.#pattern, HIDDEN);
    const [longest] = this.#forms;
    if (longest === undefined) return hidden;
    const end = inLowerCase(hidden.slice(-longest.length));
    const cut = Math.max(...this.#forms.map((form) => overlap(end, inLowerCase(form))));
    return cut < SHORTEST_SECRET ? hidden : `${hidden.slice(0, -cut)}${HIDDEN}`;
  }

  /** A value with no secret in any of its texts. For what is parsed, and so not nested deeply. */
  hideIn(value: unknown): unknown {
    if (typeof value === "string") return this.hide(value);
    if (Array.isArray(value)) return value.map((each) => this.hideIn(each));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [key, this.hideIn(member)]),
    );
  }
}

/** Compares secrets in constant time, also those of different lengths. */
export function isSameSecret(one: string, other: string): boolean {
  const digest = (text: string): Buffer => hash("sha256", text, "buffer");
  return timingSafeEqual(digest(one), digest(other));
}

/** Of the same length, which `toLowerCase` is not for some letters beyond ASCII. */
const inLowerCase = (text: string): string =>
  text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

/** The password of `Basic` credentials. */
function passwordOf(header: string): string[] {
  const pair = /^Basic\s+(\S+)$/i.exec(header)?.[1];
  if (pair === undefined) return [];
  const text = Buffer.from(pair, "base64").toString();
  return [text.slice(text.indexOf(":") + 1)];
}

/** The longest first, so that no rest of a longer form stays. */
function formsOfAll(secrets: readonly string[]): string[] {
  const forms = secrets.filter(({ length }) => length >= SHORTEST_SECRET).flatMap(formsOf);
  return [...new Set(forms)].sort((one, other) => other.length - one.length);
}

function formsOf(secret: string): string[] {
  const encoded = encodeURIComponent(secret.toWellFormed());
  const forms = [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encoded,
    encoded.replaceAll("%20", "+"),
    encodeURI(secret.toWellFormed()),
    ...base64FormsOf(secret),
  ];
  return forms.filter(({ length }) => length >= SHORTEST_SECRET);
}

/** The characters that base64 has for a secret, at each of the three places where it can begin. */
function base64FormsOf(secret: string): string[] {
  return [0, 1, 2].flatMap((before) => {
    const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(secret)]);
    // Characters that also depend on what stands before or behind are left out.
    const first = Math.ceil((before * 8) / 6);
    const last = Math.floor((bytes.length * 8) / 6);
    const form = bytes.toString("base64").slice(first, last);
    return [form, form.replaceAll("+", "-").replaceAll("/", "_")];
  });
}
