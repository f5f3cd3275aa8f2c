import leven from "leven";
import * as z from "zod";
import { FoundryError } from "./errors.js";
import { isMembers } from "./json.js";
import { LONGEST_QUOTE, MOST_ELEMENTS, MOST_MISTAKES } from "./limits.js";
import { printable } from "./text.js";

/** How error messages name and show the checked values. */
interface Wording {
  /** Default `argument`. */
  readonly noun?: "argument" | "option";
  /** Names of values that are secrets and must not be quoted. */
  readonly secrets?: ReadonlySet<string>;
  /** The names of options in other clients, each with our name. */
  readonly otherNames?: OtherNames;
}

/**
 * Validates the arguments of a library call or a tool call against a schema.
 *
 * @throws FoundryError `INVALID_ARGUMENT` with the argument's name, its value and the allowed values.
 */
export function parseArguments<T extends z.ZodType>(
  schema: T,
  given: unknown,
  wording: Wording = {},
): z.output<T> {
  assertFewElements(given);
  const parsed = schema.safeParse(given, { reportInput: true });
  if (parsed.success) return parsed.data;
  const issues = firstOfEach(parsed.error.issues);
  const problems = issues
    .slice(0, MOST_MISTAKES)
    .map((issue) => problemOf(issue, given, schema, wording));
  const more = issues.length - problems.length;
  const whats = problems.map(({ what }) => what);
  throw new FoundryError(
    "INVALID_ARGUMENT",
    [...whats, ...(more > 0 ? [`And ${more} more mistakes.`] : [])].join(" "),
    { action: [...new Set(problems.map(({ fix }) => fix))].join(" ") },
  );
}

/**
 * Refuses a value that is not an object. The message of a schema would be the text of a parser.
 *
 * @param what Begins the sentence: "The request is".
 */
export function assertObject(what: string, value: unknown, action: string): void {
  if (isMembers(value)) return;
  const kind = Array.isArray(value) ? "a list" : value === null ? "null" : `a ${typeof value}`;
  const problem = value === undefined ? "missing" : `${kind} and not an object`;
  throw new FoundryError("INVALID_ARGUMENT", `${what} ${problem}.`, { action });
}

/** One mistake for each value: a value of the wrong type may violate further limits. */
function firstOfEach(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue[] {
  const seen = new Set<string>();
  return issues.filter(({ path }) => {
    const key = path.map(String).join(".");
    const isKnown = path.length > 0 && seen.has(key);
    seen.add(key);
    return !isKnown;
  });
}

/** Rejects a list that is too long before the schema validates each of its elements. */
function assertFewElements(given: unknown): void {
  if (typeof given !== "object" || given === null) return;
  for (const [name, value] of Object.entries(given)) {
    if (!Array.isArray(value) || value.length <= MOST_ELEMENTS) continue;
    const shownName = printable(name, LONGEST_QUOTE);
    throw new FoundryError(
      "INVALID_ARGUMENT",
      `${shownName} is a list of ${value.length} elements, which is too long.`,
      { action: `Give ${shownName} with at most ${MOST_ELEMENTS} elements.` },
    );
  }
}

/** The known arguments at a path, listed in the error about an unknown one. */
function namesAt(schema: unknown, path: readonly PropertyKey[]): readonly string[] {
  const plain = schema instanceof z.ZodOptional ? schema.unwrap() : schema;
  const [key, ...rest] = path;
  if (plain instanceof z.ZodArray && key !== undefined) return namesAt(plain.element, rest);
  if (!(plain instanceof z.ZodObject)) return [];
  return key === undefined ? Object.keys(plain.shape) : namesAt(plain.shape[String(key)], rest);
}

function problemOf(
  issue: z.core.$ZodIssue,
  given: unknown,
  schema: z.ZodType,
  wording: Wording,
): { what: string; fix: string } {
  if (issue.code === "unrecognized_keys") {
    const names = quotedNames(issue.keys);
    const known = namesAt(schema, issue.path);
    const meant = issue.keys
      .slice(0, MOST_MISTAKES)
      .map((key) => meantName(key, known, wording.otherNames))
      .map((name) => (name === null ? "" : ` Did you mean ${name}?`));
    const place = issue.path.length === 0 ? "" : ` in ${issue.path.map(String).join(".")}`;
    const there = known.length > 0 ? ` There are: ${known.join(", ")}.` : "";
    return {
      what: `There is no ${wording.noun ?? "argument"} ${names}${place}.`,
      fix: `Leave ${names} out.${meant.join("")}${there}`,
    };
  }
  const name = issue.path.map(String).join(".");
  const value = valueAt(given, issue.path);
  const isSecret = wording.secrets?.has(String(issue.path[0])) === true;
  if (name === "") return { what: `${issue.message}.`, fix: fixOf(issue) };
  if (value === undefined) {
    return { what: `${name} is missing.`, fix: `Give ${name}: ${issue.message}.` };
  }
  return {
    what: `Invalid value for ${name}: ${isSecret ? "(hidden)" : shown(value)}.`,
    fix: `Give ${name} as allowed: ${issue.message}.`,
  };
}

/** The first of the unknown names, in quotes. */
export function quotedNames(names: readonly string[]): string {
  const first = names.slice(0, MOST_MISTAKES).map(quoted).join(", ");
  const more = names.length - MOST_MISTAKES;
  return more > 0 ? `${first} and ${more} more` : first;
}

/** A name from outside in quotes, truncated to a recognizable length. */
export const quoted = (name: string): string => `"${printable(name, LONGEST_QUOTE)}"`;

/** A check across several arguments brings its own advice. */
function fixOf(issue: z.core.$ZodIssue): string {
  const fix: unknown = issue.code === "custom" ? issue.params?.["fix"] : undefined;
  return typeof fix === "string" ? fix : "Change the arguments accordingly.";
}

function valueAt(given: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined,
    given,
  );
}

function shown(value: unknown): string {
  if (value === "") return "an empty string";
  const text = asText(value);
  // A lone surrogate is never shown: some JSON parsers reject it.
  const isLong = text.length > LONGEST_QUOTE;
  return (isLong ? `${text.slice(0, LONGEST_QUOTE)}…` : text).toWellFormed();
}

function asText(value: unknown): string {
  // JSON has no NaN, no Infinity and no bigint, but callers of the library may pass them.
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  // Serializes only the beginning, since the value may be many megabytes.
  let left = LONGEST_QUOTE;
  const beginning = (_name: string, part: unknown): unknown => {
    left -= 1;
    if (left < 0) return undefined;
    if (Array.isArray(part)) return part.slice(0, LONGEST_QUOTE);
    return typeof part === "string" ? part.slice(0, LONGEST_QUOTE + 1) : part;
  };
  try {
    return JSON.stringify(value, beginning) ?? `a ${typeof value}`;
  } catch {
    return `a ${typeof value}`;
  }
}

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
