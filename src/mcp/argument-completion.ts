import * as z from "zod";
import { canChat, type ModelInfo, spelledName } from "../foundry/index.js";
import type { FoundryClient } from "../jobs/index.js";
import { LONGEST_MODEL_NAME, LONGEST_TYPED, printable } from "../lib/index.js";
import type { Backend } from "./backend.js";
import type { RequestHandler } from "./requests.js";

/** As many as the protocol allows. */
const MOST_VALUES = 100;
/** A list of models that takes longer than this comes too late for a user who is typing. */
const PATIENCE_MS = 3000;

const completeParams = z.looseObject({
  ref: z.looseObject({ type: z.string() }),
  argument: z.looseObject({ name: z.string(), value: z.string() }),
});

/**
 * Answers `completion/complete`: names of models for the arguments `model` and `models`, ids for the
 * URIs of completions. For anything else, and where the service does not answer, no values.
 */
export function argumentCompletion({
  client,
  secrets,
}: Pick<Backend, "client" | "secrets">): RequestHandler {
  /** Another text than the name would be no name. */
  const isShowable = (name: string): boolean =>
    printable(secrets.hide(name), LONGEST_MODEL_NAME) === name;
  const names = async (signal: AbortSignal): Promise<string[]> =>
    (await namesOf(client, signal)).filter(isShowable);
  return async (params, { signal }) => {
    const { data } = completeParams.safeParse(params);
    if (data === undefined || data.argument.value.length > LONGEST_TYPED) return completion([]);
    const { name, value } = data.argument;
    if (data.ref.type === "ref/resource") {
      const ids = client.completions.list().map(({ id }) => id);
      return completion(name === "id" ? matching(value, ids) : []);
    }
    if (name === "model") return completion(matching(value, await names(signal)));
    if (name !== "models") return completion([]);
    // Only the last name of the list is being typed.
    const [, before = "", last = ""] = /^(.*,\s*)?([^,]*)$/s.exec(value) ?? [];
    const named = before.split(",").map((each) => each.trim());
    const others = (await names(signal)).filter((each) => !named.includes(each));
    return completion(matching(last, others).map((each) => `${before}${each}`));
  };
}

const completion = (all: readonly string[]) => ({
  completion: {
    values: all.slice(0, MOST_VALUES),
    total: all.length,
    hasMore: all.length > MOST_VALUES,
  },
});

/** Those that begin with what was typed come before those that contain it. */
function matching(typed: string, all: readonly string[]): string[] {
  const word = typed.trim().toLowerCase();
  const at = (each: string): number => each.toLowerCase().indexOf(word);
  return [...all.filter((each) => at(each) === 0), ...all.filter((each) => at(each) > 0)];
}

/** The loaded models come first, then those that need no download. */
async function namesOf(client: FoundryClient, signal: AbortSignal): Promise<string[]> {
  try {
    const within = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
    const { models } = await client.listModels({ signal: within });
    const able = models.filter((model) => canChat(model) !== false);
    const ordered = able.toSorted((a, b) => distanceOf(a) - distanceOf(b));
    return [...new Set(ordered.map(spelledName))];
  } catch {
    // A host has no use for an error while its user types. The call itself says what is wrong.
    return [];
  }
}

function distanceOf({ loaded, downloaded }: ModelInfo): number {
  if (loaded === true) return 0;
  return downloaded === false ? 2 : 1;
}
