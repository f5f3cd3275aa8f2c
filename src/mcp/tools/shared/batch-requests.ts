import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { z } from "zod";
import { completionFields, promptProblem } from "../../../foundry/index.js";
import type { BatchEntry } from "../../../jobs/index.js";
import { toFoundryError } from "../../../lib/index.js";
import { hostArguments } from "../../host-arguments.js";

/** Settings that the requests of a batch share and each request may override. */
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

/** The entries of a batch, and what makes two batches the same. */
export interface BatchInput {
  readonly entries: readonly BatchEntry[];
  /** The same when all that they ask for is. Prompts are not kept for that. */
  readonly key: string;
  /** What was ignored in the items, each once. */
  readonly warnings: readonly string[];
}

/** Different warnings about items; the later ones are left out. */
const MOST_WARNINGS = 10;

/** So long at a time: other calls are served between two items. */
const PAUSE_AFTER_MS = 10;

/** One entry for each item; what does not fit is an error that stays with its item. */
export async function batchInputOf({
  prompts,
  requests,
  settings,
}: BatchItems): Promise<BatchInput> {
  const hash = createHash("sha256");
  const members = Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1));
  hash.update(JSON.stringify([prompts === undefined ? "requests" : "prompts", members]));
  const entries: BatchEntry[] = [];
  const warnings = new Set<string>();
  let pausedAt = performance.now();
  for (const item of prompts ?? requests ?? []) {
    hash.update(`,${jsonOf(item)}`);
    entries.push(entryOf(prompts === undefined ? item : { prompt: item }, settings, warnings));
    if (performance.now() - pausedAt < PAUSE_AFTER_MS) continue;
    await setImmediate();
    pausedAt = performance.now();
  }
  return { entries, key: hash.digest("base64"), warnings: [...warnings].slice(0, MOST_WARNINGS) };
}

/** What is nested too deep to be written as JSON is no request, and all of those are the same. */
function jsonOf(item: unknown): string {
  try {
    return JSON.stringify(item) ?? "";
  } catch {
    return "";
  }
}

function entryOf(item: unknown, settings: Settings, warnings: Set<string>): BatchEntry {
  try {
    const { given: own, warnings: ownWarnings } = hostArguments(requestSchema, item);
    for (const warning of ownWarnings) warnings.add(warning);
    const { max_tokens: maxTokens, top_p: topP, ...rest } = { ...settings, ...own };
    return { ...rest, maxTokens, topP };
  } catch (thrown) {
    return toFoundryError(thrown);
  }
}
