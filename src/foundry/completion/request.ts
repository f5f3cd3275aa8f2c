import * as z from "zod";
import type { ChatMessage } from "../dialects/index.js";
import { type CompletionRequest, REASONING_MODES } from "./completion.js";

const nonEmptyText = (what: string) =>
  z.string({ error: what }).refine((text) => text.trim() !== "", { error: what });

const wholeNumber = (minimum: number, maximum: number) => {
  const error = `a whole number from ${minimum} to ${maximum}`;
  return z.number({ error }).int({ error }).min(minimum, { error }).max(maximum, { error });
};

const numberFrom = (minimum: number, maximum: number) => {
  const error = `a number from ${minimum} to ${maximum}`;
  return z.number({ error }).min(minimum, { error }).max(maximum, { error });
};

const ROLES = ["system", "user", "assistant"] as const;

const messageSchema = z.strictObject(
  {
    role: z.enum(ROLES, { error: `one of ${ROLES.join(", ")}` }),
    content: nonEmptyText("a string that is not blank"),
  },
  { error: 'an object such as {"role":"user","content":"…"}' },
);

const stopString = z.string({ error: "strings" }).min(1, { error: "strings that are not empty" });

/** The schema of each member of a request. */
type FieldSchemas = {
  readonly [Name in keyof CompletionRequest]-?: z.ZodType<NonNullable<CompletionRequest[Name]>>;
};

/**
 * What each member of a request may be, in the words of its refusal. The compiler compares them with
 * {@link CompletionRequest}. The tools derive their arguments from them.
 */
export const completionFields = {
  prompt: nonEmptyText("a string that is not blank"),
  messages: z
    .array(messageSchema, { error: "a list of messages" })
    .min(1, { error: "at least one message" }),
  system: nonEmptyText("a string that is not blank"),
  model: nonEmptyText("an alias, a name or an id"),
  temperature: numberFrom(0, 2),
  stop: z
    .array(stopString, { error: "a list of strings" })
    .min(1, { error: "at least one text" })
    .max(16, { error: "at most 16 strings" }),
  seed: wholeNumber(0, 2_147_483_647),
  maxTokens: wholeNumber(1, 1_000_000),
  topP: numberFrom(0, 1),
  schema: z.record(z.string(), z.unknown(), "a JSON Schema, an object"),
  reasoning: z.enum(REASONING_MODES, { error: `one of ${REASONING_MODES.join(", ")}` }),
} satisfies FieldSchemas;

/**
 * The issue of a schema where a request has not exactly one of `prompt` and `messages`.
 */
export function checkPrompt(
  given: { readonly prompt?: unknown; readonly messages?: unknown },
  context: z.core.$RefinementCtx,
): void {
  const count = [given.prompt, given.messages].filter((value) => value !== undefined).length;
  if (count === 1) return;
  const message =
    count === 2
      ? "Both prompt and messages came, but a completion takes one of them"
      : "Neither prompt nor messages came, but a completion needs one of them";
  const fix = "Give either prompt, a single request, or messages, a conversation.";
  context.addIssue({ code: "custom", message, input: given, params: { fix } });
}

export const completionRequestSchema = z
  .strictObject(completionFields)
  .partial()
  .superRefine(checkPrompt);

export interface PreparedMessages {
  readonly messages: readonly ChatMessage[];
  /** Length of all texts, to estimate their tokens from. */
  readonly characters: number;
  readonly warnings: readonly string[];
}

/**
 * The conversation as it is sent. Text with half a surrogate pair has no UTF-8, and the services refuse
 * or garble it. The halves are replaced, with a warning.
 */
export function prepareMessages(request: CompletionRequest): PreparedMessages {
  const system: ChatMessage[] =
    request.system === undefined ? [] : [{ role: "system", content: request.system }];
  const conversation: readonly ChatMessage[] = request.messages ?? [
    { role: "user", content: request.prompt ?? "" },
  ];
  const given = [...system, ...conversation];
  const isWellFormed = given.every(({ content }) => content.isWellFormed());
  const messages = given.map(({ role, content }) => ({ role, content: content.toWellFormed() }));
  return {
    messages,
    characters: messages.reduce((sum, { content }) => sum + content.length, 0),
    warnings: isWellFormed
      ? []
      : [
          "The text held characters that are no valid Unicode (halves of surrogate pairs); each was replaced by U+FFFD.",
        ],
  };
}
