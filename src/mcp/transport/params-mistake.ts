import type { z } from "zod";
import { LONGEST_QUOTE, printable } from "../../lib/index.js";

const TYPES: ReadonlyMap<string, string> = new Map([
  ["string", "a string"],
  ["number", "a number"],
  ["int", "an integer"],
  ["boolean", "a boolean"],
  ["array", "an array"],
  ["object", "a JSON object"],
  ["record", "a JSON object"],
]);

/** What is wrong with the params of a request, in a sentence that names the one. */
export function mistakeOf(issue: z.core.$ZodIssue): string {
  const name = printable(issue.path.map(String).join("."), LONGEST_QUOTE);
  const type = issue.code === "invalid_type" ? TYPES.get(issue.expected) : undefined;
  if (type !== undefined) return `${name} must be ${type}.`;
  return `Invalid value for ${name}.`;
}
