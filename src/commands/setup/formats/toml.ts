import { parse, stringify, TomlError } from "smol-toml";
import { CannotEdit, type Format, type Place } from "./format.js";

/**
 * TOML, of which only the own tables are changed, as text: no library keeps the rest as it is written.
 * What becomes of the file is checked by its value (`edit.ts`).
 */
export const toml: Format = {
  parse(text) {
    try {
      return parse(text, { integersAsBigInt: "asNeeded" });
    } catch (error) {
      const where = error instanceof TomlError ? ` in line ${error.line}` : "";
      throw new CannotEdit(`it is not valid TOML${where}`);
    }
  },

  set(text, place, entry) {
    const own = linesOf(text, place);
    const table = tableText(place, entry);
    if (own.length > 0) {
      const kept = without(text, own);
      const [{ from } = { from: 0 }] = own;
      const after = kept.slice(from);
      const gap = after === "" || after.startsWith("\n") ? "" : "\n";
      return `${kept.slice(0, from)}${commentsIn(text, own)}${table}${gap}${after}`;
    }
    if (text.trim() === "") return `${text}${table}`;
    return `${text}${text.endsWith("\n") ? "" : "\n"}\n${table}`;
  },

  remove(text, place) {
    const own = linesOf(text, place);
    if (own.length === 0) throw new CannotEdit("it has the entry in another form than a table");
    const [{ from } = { from: 0 }] = own;
    const kept = without(text, own);
    const [before, after] = [kept.slice(0, from), kept.slice(from)];
    // The blank line before the own table goes with it.
    if (after === "") return before.replace(/\n\n$/, "\n");
    const isGap = after.startsWith("\n") && (before === "" || before.endsWith("\n\n"));
    return `${before}${isGap ? after.slice(1) : after}`;
  },
};

/** In tables of their own, as people write it. */
function tableText({ container, name }: Place, entry: Readonly<Record<string, unknown>>): string {
  return `${stringify({ [container]: { [name]: entry } }).trim()}\n`;
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** The lines of the own tables: from each header to the next one that is not below it. */
function linesOf(text: string, { container, name }: Place): Range[] {
  const ranges: Range[] = [];
  let from: number | null = null;
  for (const { offset, keys } of headersOf(text)) {
    const isOwn = keys[0] === container && keys[1] === name;
    if (isOwn) from ??= offset;
    else if (from !== null) {
      ranges.push({ from, to: endOfTable(text, from, offset) });
      from = null;
    }
  }
  if (from !== null) ranges.push({ from, to: endOfTable(text, from, text.length) });
  return ranges;
}

/** Behind the last key or header: what comes after it, such as a part that is commented out, stays. */
function endOfTable(text: string, from: number, next: number): number {
  const lines = text.slice(from, next).split(/(?<=\n)/);
  let end = next;
  while (lines.length > 1) {
    const line = lines.pop() ?? "";
    if (!/^\s*(?:#|$)/.test(line)) break;
    end -= line.length;
  }
  return end;
}

/** The comments in the own tables, each in a line. */
const commentsIn = (text: string, ranges: readonly Range[]): string =>
  ranges
    .flatMap(({ from, to }) => text.slice(from, to).match(TOKENS) ?? [])
    .flatMap((token) => (token.startsWith("#") ? [`${token}\n`] : []))
    .join("");

/** Strings, of several lines or one, and comments: a bracket in them begins nothing. */
const TOKENS =
  /"""(?:\\[\s\S]|[^\\])*?"{3,5}|'''[\s\S]*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|#[^\n]*|[[\]{}]|\n/g;

const without = (text: string, ranges: readonly Range[]): string =>
  ranges.toReversed().reduce((all, { from, to }) => all.slice(0, from) + all.slice(to), text);

/** Each `[table]` and `[[array]]` header that is not inside a value. */
function headersOf(text: string): { readonly offset: number; readonly keys: readonly string[] }[] {
  const headers: { offset: number; keys: string[] }[] = [];
  const tokens = new RegExp(TOKENS);
  let depth = 0;
  let isLineStart = true;
  let previous = 0;
  for (let match = tokens.exec(text); match !== null; match = tokens.exec(text)) {
    const [token] = match;
    if (text.slice(previous, match.index).trim() !== "") isLineStart = false;
    if (token === "\n") isLineStart = true;
    else if (token === "[" && depth === 0 && isLineStart) {
      const header = /^\[{1,2}((?:"(?:\\.|[^"\\\n])*"|'[^'\n]*'|[^\]"'\n])*)\]{1,2}/.exec(
        text.slice(match.index),
      );
      if (header !== null) {
        const start = text.lastIndexOf("\n", match.index - 1) + 1;
        headers.push({ offset: start, keys: keysOf(header[1] ?? "") });
        tokens.lastIndex = match.index + header[0].length;
      }
      isLineStart = false;
    } else {
      if (token === "[" || token === "{") depth += 1;
      else if (token === "]" || token === "}") depth = Math.max(0, depth - 1);
      isLineStart = false;
    }
    previous = tokens.lastIndex;
  }
  return headers;
}

/** The parts of a dotted key. */
function keysOf(key: string): string[] {
  const parts = key.match(/"(?:\\.|[^"\\])*"|'[^']*'|[^.\s]+/g) ?? [];
  return parts.map((part) => (/^["']/.test(part) ? part.slice(1, -1) : part));
}
