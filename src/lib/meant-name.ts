import leven from "leven";
import { LONGEST_QUOTE } from "./limits.js";

/** Names of values in other clients, each with our name. */
export type OtherNames = Readonly<Record<string, string>>;

/** A known parameter of other engines, which is one letter away from `top_p`. */
const NOT_MISSPELT = new Set(["topk"]);
/** From this length on, a name may differ in two letters. */
const LONG_NAME = 8;

/**
 * The known name that an unknown one stands for: the same letters in another case, with or without
 * dashes, one or two letters changed, or the name that another client uses. `null` where none is near.
 *
 * @example
 * meantName("maxTokens", ["prompt", "max_tokens"]); // "max_tokens"
 * meantName("sessionId", ["prompt", "max_tokens"]); // null
 */
export function meantName(
  key: string,
  known: readonly string[],
  otherNames: OtherNames = {},
): string | null {
  const word = letters(key);
  if (word === "" || NOT_MISSPELT.has(word)) return null;
  const other = Object.entries(otherNames).find(([name]) => letters(name) === word)?.[1];
  if (other !== undefined && known.includes(other)) return other;
  const [nearest] = known
    .map((name) => ({ name, changes: changesBetween(word, letters(name)) }))
    .filter(({ name, changes }) => changes <= mostChanges(word, letters(name)))
    .sort((a, b) => a.changes - b.changes);
  return nearest?.name ?? null;
}

/** Two neighbours in the wrong order are one change. */
function changesBetween(word: string, name: string): number {
  const changes = leven(word, name);
  const isSwapped = changes === 2 && word.length === name.length && sorted(word) === sorted(name);
  return isSwapped ? 1 : changes;
}

/** An id that a host adds, such as `requestId`, is not a misspelt `requests`. */
function mostChanges(word: string, name: string): number {
  if (word.endsWith("id") && !/ids?$/.test(name)) return 0;
  return Math.min(word.length, name.length) < LONG_NAME ? 1 : 2;
}

const sorted = (word: string): string => [...word].sort().join("");

/** The cost of the edit distance is the product of both lengths. */
const letters = (name: string): string =>
  name
    .slice(0, LONGEST_QUOTE)
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, "");
