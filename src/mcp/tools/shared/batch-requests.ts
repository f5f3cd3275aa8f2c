import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { z } from "zod";
import { checkPrompt } from "../../../foundry/index.js";
import type { BatchEntry } from "../../../jobs/index.js";
import { membersKey, parseArguments, toFoundryError } from "../../../lib/index.js";
import { completionArguments, requestOf, type sharedSettings } from "./completion-arguments.js";

type Settings = z.output<z.ZodObject<typeof sharedSettings>>;

const OBJECT = 'A request is an object such as {"prompt":"…"}';

const requestSchema = z
  .strictObject(completionArguments, { error: OBJECT })
  .superRefine(checkPrompt);

interface GivenItems {
  readonly prompts?: readonly unknown[] | undefined;
  readonly requests?: readonly unknown[] | undefined;
  readonly settings: Settings;
}

/** The entries of a batch, and its key. */
export interface BatchInput {
  readonly entries: readonly BatchEntry[];
  /** Equal for identical batches. It is a hash, so that the prompts need not be kept. */
  readonly key: string;
}

/** Yield to the event loop after this many milliseconds. */
const PAUSE_AFTER_MS = 10;

/** One entry for each item. An invalid item becomes an error of its own. */
export async function batchInputOf({
  prompts,
  requests,
  settings,
}: GivenItems): Promise<BatchInput> {
  const hash = createHash("sha256");
  hash.update(`${prompts === undefined ? "requests" : "prompts"} ${membersKey(settings)}`);
  const entries: BatchEntry[] = [];
  let pausedAt = performance.now();
  for (const item of prompts ?? requests ?? []) {
    hash.update(`,${jsonOf(item)}`);
    entries.push(entryOf(prompts === undefined ? item : { prompt: item }, settings));
    if (performance.now() - pausedAt < PAUSE_AFTER_MS) continue;
    await setImmediate();
    pausedAt = performance.now();
  }
  return { entries, key: hash.digest("base64") };
}

/** A value that is nested too deep for JSON is no request. All of those count as equal. */
function jsonOf(item: unknown): string {
  try {
    return JSON.stringify(item) ?? "";
  } catch {
    return "";
  }
}

function entryOf(item: unknown, settings: Settings): BatchEntry {
  try {
    return requestOf({ ...settings, ...parseArguments(requestSchema, item) });
  } catch (thrown) {
    return toFoundryError(thrown);
  }
}
