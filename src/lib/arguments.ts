import leven from "leven";
import { z } from "zod";
import { FoundryError } from "./errors.js";
import { LONGEST_QUOTE, MOST_ELEMENTS, MOST_MISTAKES } from "./limits.js";
import { printable } from "./text.js";

/** How error messages name and show the checked values. */
interface Wording {
  /** Default `argument`. */
  readonly noun?: "argument" | "option";
  /** Names of values that are secrets and must not be quoted. */
  readonly secrets?: ReadonlySet<string>;
  /** The names of options in other clients, each with our name. */
  readonly otherNames?: Readonly<Record<string, string>>;
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
  const known = namesOf(schema);
  const { issues } = parsed.error;
  const problems = issues
    .slice(0, MOST_MISTAKES)
    .map((issue) => problemOf(issue, given, known, wording));
  const more = issues.length - problems.length;
  const whats = problems.map(({ what }) => what);
  throw new FoundryError(
    "INVALID_ARGUMENT",
    [...whats, ...(more > 0 ? [`And ${more} more mistakes.`] : [])].join(" "),
    { action: [...new Set(problems.map(({ fix }) => fix))].join(" ") },
  );
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

/** The known arguments, listed in the error about an unknown one. */
const namesOf = (schema: z.ZodType): readonly string[] =>
  schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];

/** "Did you mean …?" for an unknown option with a similar name; else an empty text. */
function suggestion(key: string, known: readonly string[], { noun, otherNames }: Wording): string {
  if (noun !== "option") return "";
  // The cost of the edit distance is the product of both lengths.
  const word = key.slice(0, LONGEST_QUOTE).toLowerCase();
  const distance = (name: string): number => leven(word, name.toLowerCase());
  const [nearest] = known.toSorted((a, b) => distance(a) - distance(b));
  const other = Object.entries(otherNames ?? {}).find(([name]) => name.toLowerCase() === word)?.[1];
  const isNear = nearest !== undefined && distance(nearest) <= Math.max(2, nearest.length / 3);
  const meant = other ?? (isNear ? nearest : null);
  return meant === null ? "" : ` Did you mean ${meant}?`;
}

function problemOf(
  issue: z.core.$ZodIssue,
  given: unknown,
  known: readonly string[],
  wording: Wording,
): { what: string; fix: string } {
  if (issue.code === "unrecognized_keys") {
    const names = quotedNames(issue.keys);
    const isTop = issue.path.length === 0;
    const keys = issue.keys.slice(0, MOST_MISTAKES);
    const meant = isTop ? keys.map((key) => suggestion(key, known, wording)).join("") : "";
    const there = isTop && known.length > 0 ? ` There are: ${known.join(", ")}.` : "";
    return {
      what: `There is no ${wording.noun ?? "argument"} ${names}.`,
      fix: `Leave ${names} out.${meant}${there}`,
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
function quotedNames(names: readonly string[]): string {
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
  if (typeof value === "string") {
    if (value.trim() === "") return "an empty text";
  }
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
