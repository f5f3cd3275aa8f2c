import { isDeepStrictEqual } from "node:util";
import {
  findNodeAtLocation,
  getNodeValue,
  type JSONPath,
  type Node,
  type ParseError,
  type ParseErrorCode,
  parse,
  parseTree,
  printParseErrorCode,
} from "jsonc-parser";
import { isMembers } from "../../../lib/index.js";
import { CannotEdit, type Format, type Splice, spliced } from "./format.js";

const OPTIONS = { allowTrailingComma: true, disallowComments: false, allowEmptyContent: true };

/** JSON with comments and trailing commas, as editors write it. */
export const json: Format = {
  parse(text) {
    const errors: ParseError[] = [];
    const value: unknown = parse(text, errors, OPTIONS);
    const [first] = errors;
    if (first !== undefined) {
      const line = text.slice(0, first.offset).split("\n").length;
      throw new CannotEdit(`it is not valid JSON: ${wordsOf(first.error)} in line ${line}`);
    }
    return value === undefined ? {} : value;
  },

  set(text, { container, name }, entry) {
    const root = parseTree(text, [], OPTIONS);
    const indent = indentOf(text, root);
    if (root === undefined) {
      const before = text.trim() === "" ? "" : `${text.trimEnd()}\n`;
      return `${before}${JSON.stringify({ [container]: { [name]: entry } }, null, indent)}\n`;
    }
    const holder = memberOf(root, container);
    if (holder === undefined) {
      return spliced(text, insertion(text, root, container, { [name]: entry }, indent));
    }
    if (holder.type === "null") return replaced(text, holder, { [name]: entry }, indent);
    if (memberOf(holder, name) === undefined) {
      return spliced(text, insertion(text, holder, name, entry, indent));
    }
    return withMembers(text, [container, name], entry, indent);
  },

  remove(text, { container, name }) {
    const root = parseTree(text, [], OPTIONS);
    const holder = root === undefined ? undefined : memberOf(root, container);
    const property = holder?.children?.find((child) => child.children?.[0]?.value === name);
    if (holder === undefined || property === undefined) return text;
    return spliced(text, removal(text, holder, property));
  },
};

/** An object member by member, so that comments in it stay. */
function withMembers(text: string, path: JSONPath, object: object, indent: string): string {
  return Object.entries(object).reduce((whole, [name, value]) => {
    const tree = parseTree(whole, [], OPTIONS);
    const own = tree === undefined ? undefined : findNodeAtLocation(tree, path);
    if (own?.type !== "object") throw new CannotEdit(`its "${path.at(-1)}" is not an object`);
    const old = memberOf(own, name);
    if (old === undefined) return spliced(whole, insertion(whole, own, name, value, indent));
    return old.type === "object" && isMembers(value)
      ? withMembers(whole, [...path, name], value, indent)
      : merged(whole, old, value, indent);
  }, text);
}

/** A list of the same length element by element, so that comments in it stay. */
function merged(text: string, old: Node, value: unknown, indent: string): string {
  if (isDeepStrictEqual(getNodeValue(old), value)) return text;
  const { children = [] } = old;
  if (!Array.isArray(value) || old.type !== "array" || children.length !== value.length) {
    return replaced(text, old, value, indent);
  }
  // From the last one, since a change moves what is behind it.
  return children.reduceRight((whole, child, at) => merged(whole, child, value[at], indent), text);
}

function replaced(text: string, { offset, length }: Node, value: unknown, indent: string): string {
  const lines = JSON.stringify(value, null, indent);
  const inPlace = lines.replaceAll("\n", `\n${lineIndent(text, offset)}`);
  return spliced(text, [{ from: offset, to: offset + length, text: inPlace }]);
}

/** `CommaExpected` as words. */
const wordsOf = (code: ParseErrorCode): string =>
  printParseErrorCode(code)
    .replace(/(?<=[a-z])(?=[A-Z])/g, " ")
    .toLowerCase();

function memberOf(object: Node, name: string): Node | undefined {
  if (object.type !== "object")
    throw new CannotEdit("it has another value where an object belongs");
  const found = object.children?.filter((child) => child.children?.[0]?.value === name) ?? [];
  if (found.length > 1) throw new CannotEdit(`it has "${name}" twice`);
  return found[0]?.children?.[1];
}

/** Puts a member behind the last one of an object, in the style of that one. */
function insertion(
  text: string,
  object: Node,
  name: string,
  value: unknown,
  indent: string,
): Splice[] {
  const outer = lineIndent(text, object.offset);
  const last = object.children?.at(-1);
  const inner = last === undefined ? `${outer}${indent}` : lineIndent(text, last.offset);
  const member = `${JSON.stringify(name)}: ${JSON.stringify(value, null, indent)}`;
  const onOwnLine = `\n${inner}${member.replaceAll("\n", `\n${inner}`)}`;
  const end = object.offset + object.length - 1;
  if (last === undefined) {
    const from = object.offset + 1;
    if (text.slice(from, end).trim() === "") {
      return [{ from, to: end, text: `${onOwnLine}\n${outer}` }];
    }
    const behind = behindComment(text, from);
    return [{ from: behind, to: behind, text: onOwnLine }];
  }
  const lastEnd = last.offset + last.length;
  const comma = commaAfter(text, lastEnd, end);
  const behind = behindComment(text, comma === null ? lastEnd : comma + 1);
  if (comma !== null) return [{ from: behind, to: behind, text: `${onOwnLine},` }];
  // `{"a": 1}` in one line gets the line break that its closing brace lacks.
  const isOneLine = !text.slice(lastEnd, end).includes("\n");
  return [
    { from: behind, to: behind, text: `${onOwnLine}${isOneLine ? `\n${outer}` : ""}` },
    { from: lastEnd, to: lastEnd, text: "," },
  ];
}

/** A comment that ends its line belongs to what is before it there. */
const LINE_END_COMMENT = /[^\S\r\n]*(?:\/\/[^\r\n]*|\/\*(?:(?!\*\/).)*\*\/)(?=[^\S\r\n]*\r?\n)/y;

/** The offset behind such a comment, or the same offset where there is none. */
function behindComment(text: string, offset: number): number {
  LINE_END_COMMENT.lastIndex = offset;
  return LINE_END_COMMENT.test(text) ? LINE_END_COMMENT.lastIndex : offset;
}

/** Takes a member out with its comma, and keeps all comments around it. */
function removal(text: string, object: Node, property: Node): Splice[] {
  const siblings = object.children ?? [];
  const index = siblings.indexOf(property);
  const end = object.offset + object.length;
  const propertyEnd = property.offset + property.length;
  const after = commaAfter(text, propertyEnd, end);
  const before = siblings[index - 1];
  const blanks = /\s*$/.exec(text.slice(0, property.offset))?.[0].length ?? 0;
  const from = property.offset - blanks;
  if (after !== null) {
    const isGap = text.slice(propertyEnd, after).trim() === "";
    return isGap
      ? [{ from, to: after + 1, text: "" }]
      : [
          { from, to: propertyEnd, text: "" },
          { from: after, to: after + 1, text: "" },
        ];
  }
  const own = { from, to: propertyEnd, text: "" };
  if (before === undefined) {
    const isAlone = text.slice(object.offset + 1, from + blanks).trim() === "";
    const tail = text.slice(propertyEnd, end - 1);
    return isAlone && tail.trim() === "" ? [{ ...own, to: end - 1 }] : [own];
  }
  const comma = commaAfter(text, before.offset + before.length, property.offset);
  if (comma === null) return [own];
  // The comma may stand right before the blanks that go.
  return comma + 1 === from
    ? [{ ...own, from: comma }]
    : [{ from: comma, to: comma + 1, text: "" }, own];
}

/** Blanks and comments. */
const TRIVIA = /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;

/** The offset of the comma between two offsets, comments passed over; `null` where there is none. */
function commaAfter(text: string, from: number, to: number): number | null {
  TRIVIA.lastIndex = from;
  TRIVIA.test(text);
  const offset = TRIVIA.lastIndex;
  return offset < to && text[offset] === "," ? offset : null;
}

/** The blanks at the beginning of the line of an offset. */
function lineIndent(text: string, offset: number): string {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  return /^[\t ]*/.exec(text.slice(start, offset))?.[0] ?? "";
}

/** What one level is indented by in this file; two blanks where that is not seen. */
function indentOf(text: string, root: Node | undefined): string {
  const first = root?.children?.[0];
  const indent = first === undefined ? "" : lineIndent(text, first.offset);
  return indent === "" ? "  " : indent;
}
