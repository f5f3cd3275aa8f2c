import * as z from "zod";
import {
  type Bounds,
  headerFault,
  jsonFrom,
  LONGEST_QUOTE,
  MOST_ROUTES,
  printable,
  requestSettings,
} from "./lib/index.js";
import { folderSeparator, foldersIn, thisMachine } from "./platform/index.js";

/** What the raw text of a setting becomes. The error message of each says what is allowed. */

export const seconds = (allowed: Bounds) =>
  number(`a number of seconds from ${allowed.min} to ${allowed.max}`, allowed);

function number(allowed: string, { min, max }: Bounds, whole = false) {
  const isWhole = (value: number) => !whole || Number.isInteger(value);
  return decimalNumber(allowed, (value) => value >= min && value <= max && isWhole(value));
}

/**
 * A decimal number that `fits`, not what `Number()` also takes: no hexadecimal, no blanks, no
 * "Infinity". `allowed` says what fits.
 */
export function decimalNumber(allowed: string, fits: (value: number) => boolean) {
  const isNumber = (text: string) => /^\d+(\.\d+)?$/.test(text) && fits(Number(text));
  return z.string().refine(isNumber, { error: allowed }).transform(Number);
}

/** One of some words, in any case. */
export const oneOf = <const W extends readonly string[]>(words: W, note = "") =>
  z
    .string()
    .toLowerCase()
    .pipe(z.enum(words, { error: `one of ${words.join(", ")}${note}` }));

export const wholeNumber = (allowed: Bounds) =>
  number(`a whole number from ${allowed.min} to ${allowed.max}`, allowed, true);

const yesOrNo = (text: string): boolean | string => {
  const word = text.toLowerCase();
  return word === "true" || word === "1" ? true : word === "false" || word === "0" ? false : word;
};
export const boolean = z.string().transform(yesOrNo).pipe(z.boolean("true or false"));
export const booleanOrAuto = z
  .string()
  .transform(yesOrNo)
  .pipe(z.union([z.boolean(), z.literal("auto")], "true, false or auto"));

/** What `read` makes of a text; of `null` comes an error that says what is allowed. */
const readBy = <T>(allowed: string, read: (text: string) => T | null) =>
  z.string().transform((text, context) => {
    const value = read(text);
    if (value !== null) return value;
    context.issues.push({ code: "custom", input: text, message: allowed });
    return z.NEVER;
  });

const HEADERS = 'a JSON object of texts, such as {"X-Team":"research"}';

export const headersSchema = readBy(
  HEADERS,
  (text) => z.record(z.string(), z.string()).safeParse(jsonFrom(text)).data ?? null,
).superRefine((headers, context) => {
  for (const [name, value] of Object.entries(headers)) {
    const fault = headerFault(name, value);
    if (fault === null) continue;
    // Another name may hold a whole header with its key.
    const shown = /^[\w-]{1,40}$/.test(name) ? `"${name}"` : "one";
    context.addIssue({ code: "custom", message: `${HEADERS}; ${shown} ${fault}` });
    return;
  }
});

export const keySchema = z.string().refine((key) => headerFault("authorization", key) === null, {
  error: "a key without line breaks or other characters that HTTP does not allow",
});

const machine = thisMachine();
const exampleFolder = machine.platform === "win32" ? "C:\\Users\\me\\notes" : "/home/me/notes";

/** Folders as in PATH, of the machine that the server runs on. */
export const foldersSchema = readBy(
  `absolute paths of folders, such as ${exampleFolder}, separated by ${folderSeparator(machine.platform)}`,
  (text) => foldersIn(text, machine),
);

/** One folder of that machine. */
export const folderSchema = readBy(
  `the absolute path of a folder, such as ${exampleFolder}`,
  (text) => {
    const [folder, ...others] = foldersIn(text, machine) ?? [];
    return folder === undefined || others.length > 0 ? null : folder;
  },
);

const {
  maxTokens: max_tokens,
  topP: top_p,
  reasoningBudget: reasoning_budget,
  ...sameNames
} = requestSettings;

const routeSchema = z
  .strictObject(
    {
      ...sameNames,
      max_tokens,
      top_p,
      reasoning_budget,
      tool: z.boolean("true or false"),
      description: z
        .string("a string")
        .min(1, "a string that is not empty")
        .max(1000, "at most 1000 characters"),
    },
    "an object",
  )
  .partial()
  .refine(({ tool, description }) => tool !== true || description !== undefined, {
    path: ["description"],
    error: "a string that says what the tool is for, since tool is true",
  })
  .transform(
    ({ max_tokens: maxTokens, top_p: topP, reasoning_budget: reasoningBudget, ...same }) => ({
      ...same,
      maxTokens,
      topP,
      reasoningBudget,
    }),
  );

const NAME = /^[a-z0-9](?:[a-z0-9_-]{0,38}[a-z0-9])?$/i;

const allSchema = z.record(z.string(), routeSchema).superRefine((routes, context) => {
  const issue = (name: string, message: string): void =>
    context.addIssue({ code: "custom", path: [name], message, input: name });
  const names = Object.keys(routes);
  for (const name of names) {
    if (!NAME.test(name)) issue(name, "a name of 1 to 40 letters, digits, - or _");
    const isTaken = routes[name]?.tool === true && name.toLowerCase() === "batch";
    if (isTaken) issue(name, "another name, since complete_batch is a tool already");
  }
  if (new Set(names.map((name) => name.toLowerCase())).size < names.length) {
    issue(names[0] ?? "", "names that differ in more than their case");
  }
  if (names.length > MOST_ROUTES) issue(names[0] ?? "", `at most ${MOST_ROUTES} routes`);
});

const EXAMPLE = '{"code":{"model":"qwen2.5-coder-7b","temperature":0}}';

/** The routes in a JSON text, by name. Its error says what is allowed, and where it is not. */
export const routesSchema = z.string().transform((text, context) => {
  const parsed = allSchema.safeParse(jsonFrom(text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? "" : `; ${wordsOn(issue)}`;
  context.issues.push({
    code: "custom",
    input: text,
    message: `a JSON object of routes such as ${EXAMPLE}${where}`,
  });
  return z.NEVER;
});

function wordsOn(issue: z.core.$ZodIssue): string {
  const path = printable(issue.path.map(String).join("."), LONGEST_QUOTE);
  if (issue.code !== "unrecognized_keys") return `${path} is ${issue.message}`;
  const known = Object.keys(routeSchema.in.shape).join(", ");
  return `${path} has no "${printable(issue.keys[0] ?? "", LONGEST_QUOTE)}", but ${known}`;
}
