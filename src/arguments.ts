import { z } from "zod";
import { FoundryError } from "./errors.js";

const LONGEST_SHOWN = 60;

/**
 * Checks what a caller gave against a schema, for the library and the tools alike.
 *
 * @throws FoundryError `INVALID_ARGUMENT` with the argument's name, what came and what is allowed.
 */
export function parseArguments<T extends z.ZodType>(schema: T, given: unknown): z.output<T> {
  const parsed = schema.safeParse(given, { reportInput: true });
  if (parsed.success) return parsed.data;
  const known = namesOf(schema);
  const problems = parsed.error.issues.map((issue) => problemOf(issue, given, known));
  throw new FoundryError("INVALID_ARGUMENT", problems.map(({ what }) => what).join(" "), {
    action: [...new Set(problems.map(({ fix }) => fix))].join(" "),
  });
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
    const names = issue.keys.map((key) => `"${key}"`).join(", ");
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
