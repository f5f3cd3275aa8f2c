import { createHash } from "node:crypto";
import { z } from "zod";
import { parseArguments } from "../../arguments.js";
import type { BatchEntry } from "../../completions/index.js";
import { toFoundryError } from "../../errors.js";
import { completionFields, promptProblem } from "../../foundry/index.js";

/** What the requests of a batch may share, and each may set for itself. */
export const sharedSettings = {
  system: completionFields.system.optional(),
  model: completionFields.model.optional(),
  max_tokens: completionFields.maxTokens.optional(),
  temperature: completionFields.temperature.optional(),
  top_p: completionFields.topP.optional(),
  stop: completionFields.stop.optional(),
  seed: completionFields.seed.optional(),
};

type Settings = z.output<z.ZodObject<typeof sharedSettings>>;

const OBJECT = 'A request is an object such as {"prompt":"…"}';

const requestSchema = z
  .strictObject(
    {
      prompt: completionFields.prompt.optional(),
      messages: completionFields.messages.optional(),
      ...sharedSettings,
    },
    { error: OBJECT },
  )
  .superRefine((given, context) => {
    const problem = promptProblem(given);
    if (problem !== null) context.addIssue(problem);
  });

export interface BatchItems {
  readonly prompts?: readonly unknown[] | undefined;
  readonly requests?: readonly unknown[] | undefined;
  readonly settings: Settings;
}

/** One entry for each item; what does not fit is an error that stays with its item. */
export function entriesOf({ prompts, requests, settings }: BatchItems): BatchEntry[] {
  const given = prompts?.map((prompt) => ({ prompt })) ?? requests ?? [];
  return given.map((item) => entryOf(item, settings));
}

function entryOf(item: unknown, settings: Settings): BatchEntry {
  try {
    const own = parseArguments(requestSchema, item);
    const { max_tokens: maxTokens, top_p: topP, ...rest } = { ...settings, ...own };
    return { ...rest, maxTokens, topP };
  } catch (thrown) {
    return toFoundryError(thrown);
  }
}

/** Two batches are the same when all that they ask for is. Prompts are not kept for that. */
export function keyOf({ prompts, requests, settings }: BatchItems): string {
  const members = Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1));
  const all = JSON.stringify([prompts ?? null, requests ?? null, members]);
  return createHash("sha256").update(all).digest("base64");
}
