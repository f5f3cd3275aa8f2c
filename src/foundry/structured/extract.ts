import { jsonrepair } from "jsonrepair";
import { Brackets, hasMoreValues, jsonFrom, MOST_ANSWER_VALUES } from "../../lib/index.js";
import type { SchemaCheck } from "./schema.js";

export type Extracted =
  | { readonly fits: true; readonly data: unknown }
  /** What is wrong with the value that comes nearest, each a line. */
  | { readonly fits: false; readonly complaints: readonly string[] };

/**
 * The value in the text of an answer that fits the schema: the text as it is, a code block in it, or the
 * part between the outermost brackets; then each of them repaired, where the answer is whole.
 *
 * @param isWhole `false`: the answer was cut off, so a repair would invent its end.
 */
export function extracted(text: string, check: SchemaCheck, isWhole: boolean): Extracted {
  let nearest: readonly string[] | null = null;
  const parts = partsOf(text, isWhole);
  for (const read of isWhole ? [jsonFrom, repaired] : [jsonFrom]) {
    for (const part of parts) {
      const data = hasMoreValues(part, MOST_ANSWER_VALUES) ? undefined : read(part);
      // A number that was cut off may lack digits.
      if (data === undefined || (!isWhole && typeof data === "number")) continue;
      const complaints = check(data);
      if (complaints.length === 0) return { fits: true, data };
      // If only the repair makes it parse, and the result is a string, it was prose.
      if (read === jsonFrom || typeof data === "object") nearest ??= complaints;
    }
  }
  const none = isWhole ? "it is not JSON" : "it was cut off";
  return { fits: false, complaints: nearest ?? [none] };
}

/** The parts of a text that may be the value, the likeliest first. */
function partsOf(text: string, isWhole: boolean): string[] {
  // Every second part stands between two fences; its first line names the language.
  const blocks = text
    .split("```")
    .filter((_, index) => index % 2 === 1)
    .map((block) => block.replace(/^[\w-]*(?=\s)/, ""));
  const first = /[[{]/.exec(text)?.[0];
  // In a text that was cut off, what the other brackets hold is a part of its value.
  const object = isWhole || first === "{" ? between(text, "{", "}") : "";
  const list = isWhole || first === "[" ? between(text, "[", "]") : "";
  const all = [text, ...blocks, object, list];
  return [...new Set(all.map((part) => part.trim()))].filter((part) => part !== "");
}

/** From the first opening bracket to the last closing one, or to the end where there is none. */
function between(text: string, open: string, close: string): string {
  const from = text.indexOf(open);
  if (from < 0) return "";
  const to = text.lastIndexOf(close);
  return to > from ? text.slice(from, to + 1) : text.slice(from);
}

export function repaired(part: string): unknown {
  // Words without any bracket would become a string.
  if (!/^[[{"]/.test(part) || endsWithin(part)) return undefined;
  try {
    const json = jsonrepair(part);
    // A member without a value would get one.
    return nullsIn(json) > nullsIn(part) ? undefined : jsonFrom(json);
  } catch {
    return undefined;
  }
}

/** Whether its end is missing, and not just its brackets: some engines say of a text that was cut off that it is whole. */
function endsWithin(part: string): boolean {
  if (/[}\]]$/.test(part)) return false;
  const brackets = new Brackets();
  for (let at = 0; at < part.length; at++) brackets.step(part.charCodeAt(at));
  return brackets.isInString || /[:,]$/.test(part);
}

/** Python writes None. */
const nullsIn = (text: string): number => text.match(/\b(?:null|None|undefined)\b/g)?.length ?? 0;
