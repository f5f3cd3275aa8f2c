import { type CompletionState, hasEnded } from "../../../jobs/index.js";
import { type FoundryError, LONGEST_ERROR, truncate } from "../../../lib/index.js";
import { failureLine } from "../../tool.js";
import { type Excerpt, howFar, notesOn, restAdvice, textOf } from "./completion-result.js";

/** A completion among several, as far as its text fits. */
export interface Part {
  readonly state: CompletionState;
  readonly excerpt: Excerpt;
}

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
  return { next, notes: [...others, ...groupedNotes(parts, nameOf)] };
}

/** Equal notes once, each with the names of its completions. */
function groupedNotes<P extends Part>(
  parts: readonly P[],
  nameOf: (parts: readonly P[]) => string,
): string[] {
  const groups = new Map<string, P[]>();
  for (const part of parts) {
    for (const note of notesOn(part.state, part.excerpt)) collect(groups, note, part);
  }
  const lines = [...groups].map(([note, those]) => `${nameOf(those)}: ${note}`);
  const more = lines.length - MOST_NOTES;
  return more > 0 ? [...lines.slice(0, MOST_NOTES), `And ${more} other notes.`] : lines;
}

export function collect<P>(groups: Map<string, P[]>, text: string, part: P): void {
  const group = groups.get(text);
  if (group === undefined) groups.set(text, [part]);
  else group.push(part);
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
