import type { LineRange } from "./pattern.js";

/** A stretch of the lines of a text, counted from 1. */
export interface Lines {
  readonly text: string;
  readonly firstLine: number;
  readonly lastLine: number;
  readonly totalLines: number;
}

/** The lines of a range, with their line breaks; `null` where the text ends before it. */
export function linesOf(text: string, range: LineRange | null): Lines | null {
  const { first, last } = range ?? { first: 1, last: null };
  let totalLines = 0;
  let from: number | null = null;
  let to = text.length;
  for (let start = 0; start < text.length; start = endOfLine(text, start)) {
    totalLines += 1;
    if (totalLines === first) from = start;
    if (last !== null && totalLines === last + 1) to = start;
  }
  if (range === null)
    return { text, firstLine: Math.min(1, totalLines), lastLine: totalLines, totalLines };
  if (from === null) return null;
  const lastLine = Math.min(last ?? totalLines, totalLines);
  return { text: text.slice(from, to), firstLine: first, lastLine, totalLines };
}

const LF = 10;
const CR = 13;

/** Behind the line break. By code, since a file may have millions of lines. */
function endOfLine(text: string, start: number): number {
  for (let at = start; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === LF) return at + 1;
    if (code === CR) return text.charCodeAt(at + 1) === LF ? at + 2 : at + 1;
  }
  return text.length;
}
