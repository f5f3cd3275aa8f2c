import { isMap, isScalar, Lexer, type Pair, parseDocument, stringify, type YAMLMap } from "yaml";
import { CannotEdit, type Format } from "./format.js";

const MOST_ALIASES = 1000;

/** YAML, of which only the lines of the own entry are changed, so that all others stay as they are. */
export const yaml: Format = {
  parse(text) {
    const document = documentOf(text);
    try {
      const value: unknown = document.toJS({ maxAliasCount: MOST_ALIASES });
      return value ?? {};
    } catch {
      throw new CannotEdit("it is not valid YAML: its aliases cannot be resolved");
    }
  },

  set(text, place, entry) {
    const { container, name } = place;
    const { contents } = documentOf(text);
    const lines = (indent: string): string =>
      stringify({ [name]: entry }, { lineWidth: 0 }).replace(/^(?=.)/gm, indent);
    const whole = `${container}:\n${lines("  ")}`;
    if (contents === null) return `${withNewline(text)}${whole}`;
    if (!isMap(contents)) throw new CannotEdit("it is not a map");
    const pair = pairOf(contents, container);
    if (pair === undefined) {
      if (contents.flow === true) throw new CannotEdit("it is a map in braces");
      return insertedAt(text, endOf(text, contents), whole);
    }
    const { value } = pair;
    const isNull = value === null || (isScalar(value) && value.value === null);
    if (isNull || (isMap(value) && value.items.length === 0)) {
      const [from, to] = value === null ? [0, 0] : rangeOf(value);
      const colon = colonOf(text, pair);
      const kept = to > from ? `${text.slice(0, colon)}${text.slice(to)}` : text;
      return insertedAt(kept, nextLine(kept, colon), lines("  "));
    }
    if (!isMap(value)) throw new CannotEdit(`its "${container}" is not a map`);
    if (value.flow === true) throw new CannotEdit(`its "${container}" is a map in braces`);
    const own = pairOf(value, name);
    if (own !== undefined) {
      const { from, to } = linesOf(text, own, value);
      const indent = indentOf(text, value);
      // At the indentation of the entry, since a text above it may go on deeper.
      const comments = commentsIn(text.slice(from, to)).map((each) => `${indent}${each}\n`);
      return `${text.slice(0, from)}${comments.join("")}${lines(indent)}${text.slice(to)}`;
    }
    return insertedAt(text, endOf(text, value), lines(indentOf(text, value)));
  },

  remove(text, { container, name }) {
    const { contents } = documentOf(text);
    const pair = isMap(contents) ? pairOf(contents, container) : undefined;
    const holder = pair?.value;
    const own = isMap(holder) ? pairOf(holder, name) : undefined;
    if (pair === undefined || !isMap(holder) || own === undefined || holder.flow === true) {
      throw new CannotEdit(`its "${container}" cannot be changed`);
    }
    const { from, to } = linesOf(text, own, holder);
    const rest = `${text.slice(0, from)}${text.slice(to)}`;
    if (holder.items.length > 1) return rest;
    // A map without items would be read as null.
    const colon = colonOf(rest, pair);
    return `${rest.slice(0, colon)} {}${rest.slice(colon)}`;
  },
};

function documentOf(text: string) {
  const document = parseDocument(text, { keepSourceTokens: true });
  const [error] = document.errors;
  if (error !== undefined) {
    const line = error.linePos?.[0].line;
    const where = line === undefined ? "" : ` in line ${line}`;
    throw new CannotEdit(`it is not valid YAML${where}`);
  }
  return document;
}

const pairOf = (map: YAMLMap<unknown, unknown>, name: string): Pair<unknown, unknown> | undefined =>
  map.items.find(({ key }) => isScalar(key) && key.value === name);

/** What follows this token of the lexer is a text, whatever it begins with. */
const BEFORE_TEXT = "\u001f";

function commentsIn(text: string): string[] {
  const tokens = [...new Lexer().lex(text)];
  return tokens.filter((token, at) => token.startsWith("#") && tokens[at - 1] !== BEFORE_TEXT);
}

function linesOf(text: string, own: Pair<unknown, unknown>, holder: YAMLMap<unknown, unknown>) {
  const from = lineStart(text, rangeOf(own.key)[0]);
  return { from, to: from + lengthOfEntry(text.slice(from), indentOf(text, holder).length) };
}

/** The lines of an entry, up to the next line that is indented as little as it is. */
function lengthOfEntry(text: string, indent: number): number {
  const [first = "", ...others] = text.split(/(?<=\n)/);
  let length = first.length;
  let blank = 0;
  for (const line of others) {
    const isBlank = line.trim() === "";
    if (!isBlank && (/^ */.exec(line)?.[0].length ?? 0) <= indent) break;
    blank = isBlank ? blank + line.length : 0;
    length += line.length;
  }
  return length - blank;
}

/** The offset behind the colon of a pair. */
function colonOf(text: string, pair: Pair<unknown, unknown>): number {
  const colon = text.indexOf(":", rangeOf(pair.key)[1]);
  if (colon === -1) throw new CannotEdit("it has a form that is not known");
  return colon + 1;
}

function nextLine(text: string, offset: number): number {
  const line = text.indexOf("\n", offset);
  return line === -1 ? text.length : line + 1;
}

/** Where a node begins and where its value ends. */
function rangeOf(node: unknown): readonly [number, number] {
  const { range } = Object(node);
  if (!Array.isArray(range)) throw new CannotEdit("it has a form that is not known");
  return [Number(range[0]), Number(range[1])];
}

const lineStart = (text: string, offset: number): number => text.lastIndexOf("\n", offset - 1) + 1;

function indentOf(text: string, map: YAMLMap<unknown, unknown>): string {
  const [first] = map.items;
  const start = rangeOf(first?.key)[0];
  return text.slice(lineStart(text, start), start).replace(/[^ ]/g, " ");
}

/** The beginning of the line behind the last value of a map in block style. */
function endOf(text: string, map: YAMLMap<unknown, unknown>): number {
  const last = map.items.at(-1);
  const node = last?.value ?? last?.key;
  const { range } = Object(node);
  const end = Array.isArray(range) ? Number(range[1]) : rangeOf(last?.key)[1];
  return end > 0 && text[end - 1] === "\n" ? end : nextLine(text, end);
}

const withNewline = (text: string): string =>
  text === "" || text.endsWith("\n") ? text : `${text}\n`;

function insertedAt(text: string, offset: number, lines: string): string {
  return `${withNewline(text.slice(0, offset))}${lines}${text.slice(offset)}`;
}
