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
  const starts = startsOf(text);
  const totalLines = starts.length;
  if (range === null)
    return { text, firstLine: Math.min(1, totalLines), lastLine: totalLines, totalLines };
  const from = starts[range.first - 1];
  if (from === undefined) return null;
  const lastLine = Math.min(range.last ?? totalLines, totalLines);
  // Without an end the last line has one more start behind it.
  const to = starts[lastLine] ?? text.length;
  return { text: text.slice(from, to), firstLine: range.first, lastLine, totalLines };
}

/** Where each line begins. A line break at the end begins none. */
function startsOf(text: string): number[] {
  const starts = text === "" ? [] : [0];
  for (const { index, 0: end } of text.matchAll(/\r\n|\r|\n/g)) {
    const next = index + end.length;
    if (next < text.length) starts.push(next);
  }
  return starts;
}
