import { hasEnded } from "../../../jobs/index.js";
import { counted, type FoundryError, LONGEST_ERROR, truncate } from "../../../lib/index.js";
import { failureLine } from "../../tool.js";
import { howFar, notesOn, type Part, restAdvice, textOf } from "./completion-result.js";

/** Further notes are only counted. */
const MOST_NOTES = 10;

/**
 * What to call next for several completions, and what else there is to know of them: to wait for those
 * that go on comes first, then the rest of each text that was cut.
 */
export function adviceOnSeveral<P extends Part>(
  parts: readonly P[],
  goesOn: string | null,
  nameOf: (parts: readonly P[]) => string,
): { readonly next: string | null; readonly notes: readonly string[] } {
  const rests = parts
    .filter(({ state, excerpt }) => excerpt.isCut && hasEnded(state))
    .map(({ state, excerpt }) => restAdvice(state, excerpt));
  const [next = null, ...others] = goesOn === null ? rests : [goesOn, ...rests];
  const lines = grouped(parts, ({ state, excerpt }) => notesOn(state, excerpt)).map(
    ([note, those]) => `${nameOf(those)}: ${note}`,
  );
  const more = lines.length - MOST_NOTES;
  const notes =
    more > 0 ? [...lines.slice(0, MOST_NOTES), `And ${counted(more, "other note")}.`] : lines;
  return { next, notes: [...others, ...notes] };
}

/** Each text once, with the parts that have it. */
export function grouped<P>(
  parts: readonly P[],
  textsOf: (part: P) => readonly string[],
): [string, P[]][] {
  const groups = new Map<string, P[]>();
  for (const part of parts) {
    for (const text of textsOf(part)) {
      const group = groups.get(text) ?? [];
      groups.set(text, group);
      group.push(part);
    }
  }
  return [...groups];
}

/** What to call where some of several go on. */
export function goesOnLine(parts: readonly Part[]): string | null {
  const open = parts.filter(({ state }) => !hasEnded(state));
  if (open.length === 0) return null;
  const ids = JSON.stringify(open.map(({ state }) => state.id));
  return `Not finished: ${open.length} of ${parts.length} go on. Call get_completion with completion_ids ${ids} to wait for them.`;
}

/** Several completions as one text, each under its id. */
export function severalText(parts: readonly Part[], missing: readonly FoundryError[]): string {
  const isOpen = parts.some(({ state }) => !hasEnded(state));
  const first = isOpen ? [] : [endedWords(parts.length, missing.length)];
  const failures = [...missing, ...parts.flatMap(({ state }) => state.error ?? [])];
  const wordsOf = failureWords(failures);
  return [...first, ...missing.map(wordsOf), ...parts.map((part) => partText(part, wordsOf))].join(
    "\n\n",
  );
}

/** Of several failures, so many have their words in the text; the structured result has those of all. */
const MOST_WORDED = 4;

/** What the text says of each failure, so that all of them together stay below {@link LONGEST_ERROR}. */
function failureWords(failures: readonly FoundryError[]): (error: FoundryError) => string {
  const isMany = failures.length > MOST_WORDED;
  const longest = LONGEST_ERROR / MOST_WORDED / (isMany ? 2 : 1);
  const worded = new Set(failures.slice(0, MOST_WORDED));
  return (error) => (worded.has(error) ? truncate(failureLine(error), longest) : error.code);
}

function endedWords(ended: number, missing: number): string {
  if (missing === 0) return `All ${ended} have ended.`;
  const others = missing === 1 ? "1 was not found" : `${missing} were not found`;
  return `${ended} of ${ended + missing} ${ended === 1 ? "has" : "have"} ended, and ${others}.`;
}

function partText({ state, excerpt }: Part, wordsOf: (error: FoundryError) => string): string {
  const { id, status, error } = state;
  const text = textOf(state, excerpt);
  if (!hasEnded(state)) return `${id}, ${howFar(state)}:\n${text}`.trimEnd();
  if (error !== null) return `${id}, ${status}, ${wordsOf(error)}\n${text}`.trimEnd();
  return `${id}, ${status}:\n${text}`;
}
