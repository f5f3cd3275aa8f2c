import { z } from "zod";
import { FoundryError } from "./errors.js";
import { LONGEST_QUOTE, MOST_ELEMENTS, MOST_MISTAKES } from "./limits.js";
import { printable } from "./text.js";

/**
 * Checks what a caller gave against a schema, for the library and the tools alike.
 *
 * @throws FoundryError `INVALID_ARGUMENT` with the argument's name, what came and what is allowed.
 */
export function parseArguments<T extends z.ZodType>(schema: T, given: unknown): z.output<T> {
  assertFewElements(given);
  const parsed = schema.safeParse(given, { reportInput: true });
  if (parsed.success) return parsed.data;
  const known = namesOf(schema);
  const { issues } = parsed.error;
  const problems = issues.slice(0, MOST_MISTAKES).map((issue) => problemOf(issue, given, known));
  const more = issues.length - problems.length;
  const whats = problems.map(({ what }) => what);
  throw new FoundryError(
    "INVALID_ARGUMENT",
    [...whats, ...(more > 0 ? [`And ${more} more mistakes.`] : [])].join(" "),
    { action: [...new Set(problems.map(({ fix }) => fix))].join(" ") },
  );
}

/** Before the schema looks at each of them. */
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

/** The arguments there are, for somebody who named one that is not. */
function namesOf(schema: z.ZodType): string {
  const names = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  return names.length === 0 ? "" : ` There are: ${names.join(", ")}.`;
}

function problemOf(
  issue: z.core.$ZodIssue,
  given: unknown,
  known: string,
): { what: string; fix: string } {
  if (issue.code === "unrecognized_keys") {
    const names = quotedNames(issue.keys);
    return {
      what: `There is no argument ${names}.`,
      fix: `Leave ${names} out.${issue.path.length === 0 ? known : ""}`,
    };
  }
  const name = issue.path.map(String).join(".");
  const value = valueAt(given, issue.path);
  if (name === "") return { what: `${issue.message}.`, fix: fixOf(issue) };
  if (value === undefined) {
    return { what: `${name} is missing.`, fix: `Give ${name}: ${issue.message}.` };
  }
  return {
    what: `${name} is ${shown(value)}, which does not fit.`,
    fix: `Give ${name} as allowed: ${issue.message}.`,
  };
}

/** Names that a caller made up, the first ones of them. */
function quotedNames(names: readonly string[]): string {
  const first = names.slice(0, MOST_MISTAKES).map(quoted).join(", ");
  const more = names.length - MOST_MISTAKES;
  return more > 0 ? `${first} and ${more} more` : first;
}

/** A name that a caller made up, in quotes and not longer than is needed to know it again. */
export const quoted = (name: string): string => `"${printable(name, LONGEST_QUOTE)}"`;

/** A check of several arguments together says itself how to put them right. */
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
  // Cut or given, half a character is not shown: not every reader of an error survives it.
  const isLong = text.length > LONGEST_QUOTE;
  return (isLong ? `${text.slice(0, LONGEST_QUOTE)}…` : text).toWellFormed();
}

function asText(value: unknown): string {
  // JSON has no NaN, no Infinity and no bigint; the library's callers do.
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  // Not all of what may be many megabytes, since its beginning is shown.
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
