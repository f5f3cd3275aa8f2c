import { z } from "zod";

/**
 * The arguments of a completion, each with what is allowed in the words of its refusal. The tool
 * `complete` takes the same ones under snake_case names.
 */

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

export const completionFields = {
  prompt: nonEmptyText("a string that is not blank"),
  messages: z
    .array(messageSchema, { error: "a list of messages" })
    .min(1, { error: "at least one message" }),
  system: nonEmptyText("a string that is not blank"),
  model: nonEmptyText("an alias, a name or an id"),
  maxTokens: wholeNumber(1, 1_000_000),
  temperature: numberFrom(0, 2),
  topP: numberFrom(0, 1),
  stop: z
    .array(stopString, { error: "a list of strings" })
    .min(1, { error: "at least one text" })
    .max(16, { error: "at most 16 strings" }),
  seed: wholeNumber(0, 2_147_483_647),
} as const;

/** What is wrong with prompt and messages taken together, as an issue of a schema, or `null`. */
export function promptProblem(given: { prompt?: unknown; messages?: unknown }) {
  const count = [given.prompt, given.messages].filter((value) => value !== undefined).length;
  if (count === 1) return null;
  const message =
    count === 2
      ? "Both prompt and messages came, but a completion takes one of them"
      : "Neither prompt nor messages came, but a completion needs one of them";
  const fix = "Give either prompt, a single request, or messages, a conversation.";
  return { code: "custom" as const, message, input: given, params: { fix } };
}

export const completionRequestSchema = z
  .strictObject({
    prompt: completionFields.prompt.optional(),
    messages: completionFields.messages.optional(),
    system: completionFields.system.optional(),
    model: completionFields.model.optional(),
    maxTokens: completionFields.maxTokens.optional(),
    temperature: completionFields.temperature.optional(),
    topP: completionFields.topP.optional(),
    stop: completionFields.stop.optional(),
    seed: completionFields.seed.optional(),
  })
  .superRefine((request, context) => {
    const problem = promptProblem(request);
    if (problem !== null) context.addIssue(problem);
  });
