import type { SettingName } from "./settings.js";

/**
 * The library names its methods and options in backquotes: `listModels`, the option `endpoint`. For
 * users of the server, these are tools and settings.
 */

const METHODS: ReadonlyMap<string, string> = new Map([
  ["complete", "complete"],
  ["completeBatch", "complete_batch"],
  ["completions.get", "get_completion"],
  ["completions.wait", "get_completion"],
  ["completions.list", "get_completion without ids"],
  ["completions.cancel", "cancel_completion"],
  ["embed", "embed"],
  ["listModels", "list_models"],
  ["loadModel", "load_model"],
  ["unloadModel", "unload_model"],
  ["healthCheck", "health_check"],
  ["maxTokens", "max_tokens"],
  ["reasoningBudget", "reasoning_budget"],
]);

/** Each option of the client with its setting. */
export const SETTING_OF_OPTION: ReadonlyMap<string, SettingName> = new Map<string, SettingName>([
  ["endpoint", "FOUNDRY_ENDPOINT"],
  ["discovery", "FOUNDRY_DISCOVERY"],
  ["autostart", "FOUNDRY_AUTOSTART"],
  ["embedded", "FOUNDRY_EMBEDDED"],
  ["cliPath", "FOUNDRY_CLI"],
  ["apiKey", "FOUNDRY_API_KEY"],
  ["headers", "FOUNDRY_HEADERS"],
  ["model", "FOUNDRY_MODEL"],
  ["routes", "FOUNDRY_ROUTES"],
  ["maxTokens", "FOUNDRY_MAX_TOKENS"],
  ["timeoutMs", "FOUNDRY_TIMEOUT"],
  ["stallTimeoutMs", "FOUNDRY_STALL_TIMEOUT"],
  ["loadTimeoutMs", "FOUNDRY_LOAD_TIMEOUT"],
  ["downloadStallMs", "FOUNDRY_DOWNLOAD_STALL_TIMEOUT"],
  ["concurrency", "FOUNDRY_CONCURRENCY"],
  ["queueLimit", "FOUNDRY_QUEUE"],
  ["rateLimit", "FOUNDRY_RATE_LIMIT"],
  ["cache", "FOUNDRY_CACHE"],
  ["cacheFolder", "FOUNDRY_CACHE_DIR"],
]);

/** Advice that differs in more than a name. */
const SENTENCES = [
  [
    "Make a new `FoundryClient` for further calls.",
    "This server is ending. Its host has to start it again before another call.",
  ],
  // The library lists all models; the tool does so with this filter.
  ["`listModels` lists", 'list_models with filter "all" lists'],
  [
    "Read its results in the loop over `completeBatch`.",
    "Give it to complete_batch as batch_id: alone to go on, with cancel to stop it.",
  ],
  [
    "Leave out the option `endpoint`, so that the service is found wherever it is, or set it to the new address.",
    "Take FOUNDRY_ENDPOINT out of the settings, so that the service is found wherever it is, or set it to the new address; then restart this server.",
  ],
] as const;

/**
 * A text of the library for users of the server.
 *
 * @example
 * serverWords("Load it with `loadModel`."); // "Load it with load_model."
 * serverWords("Set the option `model`."); // "Set FOUNDRY_MODEL."
 */
export function serverWords(text: string): string {
  // Most texts name nothing.
  if (!text.includes("`")) return text;
  const whole = SENTENCES.reduce((all, [ours, theirs]) => all.replaceAll(ours, theirs), text);
  return reworded(whole, METHODS, SETTING_OF_OPTION);
}

/** A text with other names of options and of methods. */
export const reworded = (
  text: string,
  methods: ReadonlyMap<string, string>,
  options: ReadonlyMap<string, string>,
): string =>
  text
    .replace(/\bthe option `(\w+)`/g, (all, name: string) => options.get(name) ?? all)
    .replace(/`([\w.]+)`/g, (all, name: string) => methods.get(name) ?? all);

/** What a model wrote, also the arguments of its tool calls. */
const QUOTED: ReadonlySet<string> = new Set(["text", "answer", "data", "reasoning", "arguments"]);

/**
 * A tool's structured result without the members that are `null`, and with {@link serverWords} for all
 * texts but what a model wrote.
 */
export function resultInServerWords(result: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(result)
      // A value by a schema may be null.
      .filter(([name, member]) => member !== undefined && (member !== null || name === "data"))
      .map(([name, member]) => [name, QUOTED.has(name) ? member : memberInServerWords(member)]),
  );
}

function memberInServerWords(member: unknown): unknown {
  if (typeof member === "string") return serverWords(member);
  if (Array.isArray(member)) return member.map(memberInServerWords);
  if (typeof member !== "object" || member === null) return member;
  return resultInServerWords({ ...member });
}
