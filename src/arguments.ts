import leven from "leven";
import { z } from "zod";
import { FoundryError } from "./errors.js";

const LONGEST_SHOWN = 60;

/** How the values that are checked are called and shown. */
interface Wording {
  /** Default `argument`. */
  readonly noun?: "argument" | "option";
  /** Names whose values are secrets, which are not quoted. */
  readonly secrets?: ReadonlySet<string>;
  /** Names that other clients have for an option, with ours. */
  readonly otherNames?: Readonly<Record<string, string>>;
}

/**
 * Checks what a caller gave against a schema, for the library and the tools alike.
 *
 * @throws FoundryError `INVALID_ARGUMENT` with the argument's name, what came and what is allowed.
 */
export function parseArguments<T extends z.ZodType>(
  schema: T,
  given: unknown,
  wording: Wording = {},
): z.output<T> {
  const parsed = schema.safeParse(given, { reportInput: true });
  if (parsed.success) return parsed.data;
  const known = namesOf(schema);
  const problems = parsed.error.issues.map((issue) => problemOf(issue, given, known, wording));
  throw new FoundryError("INVALID_ARGUMENT", problems.map(({ what }) => what).join(" "), {
    action: [...new Set(problems.map(({ fix }) => fix))].join(" "),
  });
}

/** The arguments there are, for a caller that named one that does not exist. */
const namesOf = (schema: z.ZodType): readonly string[] =>
  schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];

/** An option whose name an unknown one was probably meant to be, as a question. */
function suggestion(key: string, known: readonly string[], { noun, otherNames }: Wording): string {
  if (noun !== "option") return "";
  // The distance costs the product of the lengths.
  const word = key.slice(0, LONGEST_SHOWN).toLowerCase();
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
    const names = issue.keys.map((key) => `"${key}"`).join(", ");
    const isTop = issue.path.length === 0;
    const meant = isTop ? issue.keys.map((key) => suggestion(key, known, wording)).join("") : "";
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
    what: `${name} is ${isSecret ? "(hidden)" : shown(value)}, which does not fit.`,
    fix: `Give ${name} as allowed: ${issue.message}.`,
  };
}

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
  if (typeof value === "string" && value.trim() === "") return "an empty text";
  const text = asText(value);
  // Cut or given, half a character is not shown: not every reader of an error survives it.
  return (text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text).toWellFormed();
}

function asText(value: unknown): string {
  // JSON has no NaN, no Infinity and no bigint; the library's callers do.
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  try {
    return JSON.stringify(value) ?? `a ${typeof value}`;
  } catch {
    return `a ${typeof value}`;
  }
}
