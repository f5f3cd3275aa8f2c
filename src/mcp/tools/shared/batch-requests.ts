import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import * as z from "zod";
import type { BatchEntry } from "../../../jobs/index.js";
import { membersKey, toFoundryError } from "../../../lib/index.js";
import { hostArguments } from "../../host-arguments.js";
import {
  completionArguments,
  needsPrompt,
  requestOf,
  type sharedSettings,
} from "./completion-arguments.js";

type Settings = z.output<z.ZodObject<typeof sharedSettings>>;

const OBJECT = 'A request is an object such as {"prompt":"…"}';

const requestSchema = z
  .strictObject(completionArguments, { error: OBJECT })
  .superRefine(needsPrompt);

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
  /** What was ignored in the items, each once. */
  readonly warnings: readonly string[];
}

/** Different warnings about items; the later ones are left out. */
const MOST_WARNINGS = 10;

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

/** A value that is nested too deep for JSON is no request. All of those count as equal. */
function jsonOf(item: unknown): string {
  try {
    return JSON.stringify(item) ?? "";
  } catch {
    return "";
  }
}

function entryOf(item: unknown, settings: Settings, warnings: Set<string>): BatchEntry {
  try {
    const { given, warnings: own } = hostArguments(requestSchema, item);
    for (const warning of own) warnings.add(warning);
    // Its own order of models replaces the shared model.
    const model = given.models === undefined ? settings.model : undefined;
    return requestOf({ ...settings, model, ...given });
  } catch (thrown) {
    return toFoundryError(thrown);
  }
}
