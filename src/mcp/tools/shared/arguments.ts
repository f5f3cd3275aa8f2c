import * as z from "zod";
import { type CompletionRequest, checkPrompt, completionFields } from "../../../foundry/index.js";
import { MOST_FILE_PATTERNS } from "../../../lib/index.js";
import type { ToolContext } from "../../tool.js";

const REPLY_WITHIN = "a number of seconds from 0 to 3600";

/** The argument `reply_within`; {@link replyWithinMs} converts it. */
export const replyWithin = z
  .number(REPLY_WITHIN)
  .min(0, REPLY_WITHIN)
  .max(3600, REPLY_WITHIN)
  .optional();

/** @param allowed Completes "Give x as allowed: …". */
export const listOf = <T extends z.ZodType>(element: T, most: number, allowed: string) =>
  z.array(element, allowed).min(1, allowed).max(most, allowed);

/**
 * Refuses arguments that do not fit together.
 *
 * @param message What is wrong, without a full stop.
 * @param fix What to do, as a whole sentence.
 */
export const refuse = (context: z.core.$RefinementCtx, message: string, fix: string): void =>
  context.addIssue({ code: "custom", message, params: { fix } });

/** How long a call still waits before it answers with what it has, in milliseconds. */
export const replyWithinMs = (
  given: number | undefined,
  { replyWithinMs: usual, spentMs }: Pick<ToolContext, "replyWithinMs" | "spentMs">,
): number => Math.max(0, (given === undefined ? usual : given * 1000) - spentMs());

/** Files of the user, which the server reads itself. */
export const filesArgument = listOf(
  z.string("a path or a glob").min(1, "a path or a glob"),
  MOST_FILE_PATTERNS,
  `a list of 1 to ${MOST_FILE_PATTERNS} paths or globs`,
);

const {
  maxTokens: max_tokens,
  topP: top_p,
  reasoningBudget: reasoning_budget,
  schema: response_schema,
  toolChoice: tool_choice,
  ...sameNames
} = completionFields;

const schema = z
  .strictObject({
    ...sameNames,
    max_tokens,
    top_p,
    reasoning_budget,
    // Taken as an object or as JSON, and listed as JSON: of an object without members, the closed models that AutoGen
    // and n8n make of it, and OpenAI's strict mode, leave nothing.
    response_schema: response_schema.meta({ listed: { type: "string" } }),
    tool_choice,
    files: filesArgument,
    whole: z.boolean("true or false"),
  })
  .partial();

/** The members of a request as arguments of a tool: in snake_case, all optional. */
export const completionArguments = schema.shape;

/** The settings among them, which the requests of a batch share. */
export const sharedSettings = schema.omit({
  prompt: true,
  messages: true,
  models: true,
  tools: true,
  tool_choice: true,
}).shape;

type Given = z.output<typeof schema>;

/** The issue of a schema where there is no request in either form. */
export function needsPrompt(given: Given, context: z.core.$RefinementCtx): void {
  if (given.prompt === undefined && given.messages === undefined) checkPrompt(given, context);
}

/** A JSON Schema in the `response_format` of OpenAI's API, which models know. No schema has this type. */
const wrappedSchema = z.looseObject({
  type: z.literal("json_schema"),
  json_schema: z.looseObject({ schema: z.record(z.string(), z.unknown()) }),
});

export const requestOf = ({
  max_tokens: maxTokens,
  top_p: topP,
  reasoning_budget: reasoningBudget,
  response_schema: answerSchema,
  tool_choice: toolChoice,
  files: _files,
  whole: _whole,
  prompt,
  messages,
  ...same
}: Given): CompletionRequest => ({
  ...same,
  ...conversationOf(prompt, messages),
  maxTokens,
  topP,
  reasoningBudget,
  schema: wrappedSchema.safeParse(answerSchema).data?.json_schema.schema ?? answerSchema,
  toolChoice,
});

/** `messages` are the turns before `prompt`, or all turns: then the last of them is the request. */
function conversationOf(
  prompt: Given["prompt"],
  messages: Given["messages"],
): Pick<CompletionRequest, "prompt" | "messages"> {
  if (messages === undefined) return { prompt };
  const last = messages.at(-1);
  const { role, content } = last ?? {};
  const isRepeated =
    role === "user" && typeof content === "string" && content.trim() === prompt?.trim();
  const isWhole = prompt === undefined || isRepeated;
  return { messages: isWhole ? messages : [...messages, { role: "user", content: prompt }] };
}
