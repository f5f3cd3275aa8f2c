import { likelyTokensOf } from "../foundry/index.js";

/** A part of a text. Joined, the parts of a text are the text. */
export interface TextPart {
  readonly text: string;
  /** The lines of its first and its last character. */
  readonly firstLine: number;
  readonly lastLine: number;
}

export interface SplitOptions {
  /** Tokens of a part at most, as they are estimated. A part has one character at least. */
  readonly mostTokens: number;
  /** The line with which the text begins. Default: 1. */
  readonly firstLine?: number | undefined;
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Cuts a text at its paragraphs; where one is too long at its lines, then at its words, then between
 * characters. Takes linear time.
 */
export function splitText(text: string, { mostTokens, firstLine = 1 }: SplitOptions): TextPart[] {
  const parts: TextPart[] = [];
  let line = firstLine;
  for (let begin = 0; begin < text.length; ) {
    const end = endOfPart(text, begin, mostTokens);
    const part = text.slice(begin, end);
    const next = line + lineBreaks(part);
    const isWhole = /[\r\n]$/.test(part);
    parts.push({ text: part, firstLine: line, lastLine: isWhole ? next - 1 : next });
    line = next;
    begin = end;
  }
  return parts;
}

/** Only borders in the second half of a part count, so that no character is looked at more than twice. */
function endOfPart(text: string, begin: number, mostTokens: number): number {
  let tokens = 0;
  let [paragraph, line, word] = [0, 0, 0];
  let isBlankLine = false;
  for (let at = begin; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    tokens += likelyTokensOf(code);
    if (tokens > mostTokens && at > begin) {
      return paragraph || line || word || wholeCharacter(text, begin, at);
    }
    const isBorder = tokens >= mostTokens / 2;
    const isBreak =
      code === LINE_FEED || (code === CARRIAGE_RETURN && text.charCodeAt(at + 1) !== LINE_FEED);
    if (isBreak) {
      if (isBorder) line = at + 1;
      if (isBorder && isBlankLine) paragraph = at + 1;
      isBlankLine = true;
    } else if (code === 0x20 || code === 0x09) {
      if (isBorder) word = at + 1;
    } else if (code !== CARRIAGE_RETURN) {
      isBlankLine = false;
    }
  }
  return text.length;
}

/** The next border that cuts neither a surrogate pair nor CR LF; at least one character after `begin`. */
function wholeCharacter(text: string, begin: number, at: number): number {
  const [before, after] = [text.charCodeAt(at - 1), text.charCodeAt(at)];
  const isPair = (before & 0xfc00) === 0xd800 && (after & 0xfc00) === 0xdc00;
  const isLineEnd = before === CARRIAGE_RETURN && after === LINE_FEED;
  if (!isPair && !isLineEnd) return at;
  return at - 1 > begin ? at - 1 : at + 1;
}

/** Counted as in the files: CR LF, CR and LF end a line. */
function lineBreaks(text: string): number {
  let count = 0;
  for (const _break of text.matchAll(/\r\n|\r|\n/g)) count += 1;
  return count;
}
