import * as z from "zod";
import { jsonFrom, LONGEST_QUOTE, MOST_ROUTES, printable, requestSettings } from "./lib/index.js";

/** The setting FOUNDRY_ROUTES. */

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
