import { isAbsolute } from "node:path";
import { parseArgs } from "node:util";
import * as z from "zod";
import {
  ENDPOINT_ALLOWED,
  endpointFault,
  FoundryError,
  LOG_LEVELS,
  SECONDS,
  WHOLE_NUMBERS,
} from "./lib/index.js";
import { folderSeparator } from "./platform/index.js";
import { routesSchema } from "./routes-setting.js";
import {
  boolean,
  booleanOrAuto,
  folderSchema,
  foldersSchema,
  headersSchema,
  seconds,
  wholeNumber,
} from "./setting-schemas.js";

/**
 * The one place that knows an environment variable. Each setting is a row of this table: its
 * variable, what it accepts, its default and its meaning; parsing, flags and `--help` derive from it.
 */

interface Setting<T extends z.ZodType> {
  /** What the raw text becomes; its error message says what is allowed. */
  readonly schema: T;
  /** As `--help` and the README print it. */
  readonly defaultText: string;
  readonly meaning: string;
}

const setting = <T extends z.ZodType>(
  schema: T,
  defaultText: string,
  meaning: string,
): Setting<T> => ({ schema, defaultText, meaning });

/** What becomes of a completion whose call is cancelled. */
const ON_CANCEL = ["auto", "stop", "detach"] as const;
export type OnCancel = (typeof ON_CANCEL)[number];

/** What outlives the process of a server. */
const KEEP = ["auto", "never"] as const;

/** Where a service is looked for. */
const DISCOVERY = ["auto", "declared"] as const;

/** Every setting with its variable. */
export const SETTINGS = {
  FOUNDRY_ENDPOINT: setting(
    z
      .string()
      .refine((text) => endpointFault(text) !== "not an endpoint", { error: ENDPOINT_ALLOWED }),
    "searched for",
    "base URL of the service, with or without /v1, a route such as /v1/chat/completions or a final slash. A user name and a password in it are sent as an Authorization header and never shown. The server then uses this address only and neither searches for nor starts a service",
  ),
  FOUNDRY_DISCOVERY: setting(
    z
      .string()
      .toLowerCase()
      .pipe(z.enum(DISCOVERY, { error: `one of ${DISCOVERY.join(", ")}` })),
    "auto",
    "where the server searches for Foundry Local: declared uses only the address that its command line or its daemon's file names; auto also tries the usual ports, if a program of this user listens there",
  ),
  FOUNDRY_AUTOSTART: setting(
    boolean,
    "true",
    "start Foundry Local when it is installed but not running",
  ),
  FOUNDRY_EMBEDDED: setting(
    booleanOrAuto,
    "auto",
    "run the core of the npm package foundry-local-sdk in a child process: true uses it in place of any other service, auto if there is no other service, false never",
  ),
  FOUNDRY_CLI: setting(
    z.string(),
    "searched for",
    "path of Foundry Local's command line, if it is neither on PATH nor in the folders that installers use",
  ),
  FOUNDRY_API_KEY: setting(z.string(), "none", "bearer token for engines that require one"),
  FOUNDRY_HEADERS: setting(
    headersSchema,
    "none",
    'extra headers of each request, as JSON: {"X-Team":"research"}',
  ),
  FOUNDRY_MODEL: setting(
    z.string(),
    "phi-4-mini",
    "default model: alias, name, id or auto, which chooses by what each request needs. If this is not set and phi-4-mini is not downloaded: the loaded model, else the first downloaded model that can chat",
  ),
  FOUNDRY_ROUTES: setting(
    routesSchema,
    "none",
    'names for purposes, as JSON: {"code":{"model":"qwen2.5-coder-7b","temperature":0}}. A call with the name as its model gets these settings where it has none of its own: model, models, system, temperature, top_p, max_tokens, stop, seed, reasoning. With "tool": true and a "description", the route is also a tool, such as complete_code',
  ),
  FOUNDRY_TIMEOUT: setting(
    seconds(SECONDS.timeout),
    "30",
    "time limit in seconds of a request with a quick answer (probe, list, unload)",
  ),
  FOUNDRY_STALL_TIMEOUT: setting(
    seconds(SECONDS.stallTimeout),
    "300",
    "longest time in seconds without a token, before the first token and between tokens",
  ),
  FOUNDRY_LOAD_TIMEOUT: setting(
    seconds(SECONDS.loadTimeout),
    "900",
    "time limit in seconds of the load of a model",
  ),
  FOUNDRY_REPLY_WITHIN: setting(
    seconds({ min: 0, max: 3600 }),
    "by host",
    "seconds after which a tool returns the results so far while the work continues, 0 to 3600. Default: 45, or 0.8 of the host's time limit, where its name or its first timeout shows the limit",
  ),
  FOUNDRY_ON_CANCEL: setting(
    z
      .string()
      .toLowerCase()
      .pipe(z.enum(ON_CANCEL, { error: `one of ${ON_CANCEL.join(", ")}` })),
    "auto",
    "what happens to the work of a cancelled call: stop ends it, detach continues it, auto decides by the reason: a timeout continues it, a stop of the user ends it, no clear reason ends it after 30 seconds unless it is requested again",
  ),
  FOUNDRY_KEEP: setting(
    z.union([z.string().toLowerCase().pipe(z.enum(KEEP)), seconds(SECONDS.keep)], {
      error: `${KEEP.join(", ")} or a number of seconds from 1 to 86400`,
    }),
    "auto",
    "whether an unfinished completion, batch or load goes on when the process of this server ends: auto hands what a tool has promised to a process of this user, which keeps an answer in memory until it is fetched, for ten minutes at most; a number is that limit in seconds; never ends it with the server",
  ),
  FOUNDRY_CONCURRENCY: setting(
    z.union(
      [z.literal("auto").transform(() => "auto" as const), wholeNumber(WHOLE_NUMBERS.concurrency)],
      {
        error: "a whole number from 1 to 64, or auto",
      },
    ),
    "auto",
    "completions that run at the same time per model, 1 to 64. auto: 1 on the legacy service (0.8 and before) and on core 1.x, else 4",
  ),
  FOUNDRY_QUEUE: setting(
    wholeNumber(WHOLE_NUMBERS.queueLimit),
    "64",
    "completions that may wait, for all models together, 0 to 10000. Further completions fail with QUEUE_FULL",
  ),
  FOUNDRY_RATE_LIMIT: setting(
    wholeNumber(WHOLE_NUMBERS.rateLimit),
    "0",
    "completions that this server starts a minute, spread evenly, for all models together, 0 to 60000. Further completions wait in the queue. 0: no limit",
  ),
  FOUNDRY_CACHE: setting(
    wholeNumber(WHOLE_NUMBERS.cache),
    "0, or 1000 with FOUNDRY_CACHE_DIR",
    "whole answers that are kept for identical requests at temperature 0 or with a seed, to the same model id and version of the service, 0 to 10000. 0: no cache",
  ),
  FOUNDRY_CACHE_DIR: setting(
    z.string().refine(isAbsolute, { error: "an absolute path of a folder" }),
    "none",
    "folder in which the answers of FOUNDRY_CACHE are kept instead of in memory, in files that only this user can read. Answers then lie on the disk, prompts only as hashes. Several servers may share it",
  ),
  FOUNDRY_DOWNLOAD_STALL_TIMEOUT: setting(
    seconds(SECONDS.downloadStall),
    "300",
    "longest time in seconds without progress of a download. A download has no other time limit",
  ),
  FOUNDRY_RETRIES: setting(
    wholeNumber(WHOLE_NUMBERS.retries),
    "3",
    "number of retries after a failed request",
  ),
  FOUNDRY_MAX_TOKENS: setting(
    wholeNumber(WHOLE_NUMBERS.maxTokens),
    "1024",
    "token limit of an answer if the call sets no max_tokens",
  ),
  FOUNDRY_FILES: setting(
    foldersSchema(),
    "none",
    "folders whose files the tools may read and in which they may write new files, separated as in PATH (: or, on Windows, ;). Without it the tools reach no files",
  ),
  FOUNDRY_VECTORS: setting(
    folderSchema(),
    "none",
    "folder in which ask_documents keeps the vectors of texts for later servers: hashes and numbers, no text. Without it they are kept in memory only",
  ),
  FOUNDRY_HTTP_KEY: setting(
    z.string().min(16, "at least 16 characters"),
    "none",
    "bearer token that clients of `serve --http` must send. Required for every address that other machines reach",
  ),
  FOUNDRY_OTEL: setting(
    z.url({ protocol: /^https?$/, error: "an http or https URL, such as http://127.0.0.1:4318" }),
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "address of an OpenTelemetry collector, which then gets spans and metrics of calls over OTLP/HTTP, without prompts and answers",
  ),
  FOUNDRY_LOG_LEVEL: setting(
    z
      .string()
      .toLowerCase()
      .pipe(z.enum(LOG_LEVELS, { error: `one of ${LOG_LEVELS.join(", ")}, in any case` })),
    "info",
    "log level, trace to silent. The log is JSON lines on stderr; prompts and answers appear only at trace",
  ),
} as const satisfies Record<string, Setting<z.ZodType>>;

export type SettingName = keyof typeof SETTINGS;

export const SETTING_NAMES = Object.keys(SETTINGS).filter(
  (name): name is SettingName => name in SETTINGS,
);

/** Values of the settings that were given; one that is absent has its default. */
export type Settings = {
  readonly [N in SettingName]?: z.output<(typeof SETTINGS)[N]["schema"]> | undefined;
};

/** `FOUNDRY_MAX_TOKENS` is `max-tokens` on the command line. */
const flagOf = (name: SettingName): string =>
  name.replace("FOUNDRY_", "").toLowerCase().replaceAll("_", "-");

/**
 * Reads settings from flags and environment; a flag outranks its variable. An empty value counts as
 * unset, because hosts write `"FOUNDRY_API_KEY": ""` or `"${user_config.key}"` for a field the user left
 * blank.
 *
 * @throws FoundryError `INVALID_SETTING` with the name, the value and what is allowed, of all settings
 *   that are wrong.
 * @example
 * readSettings(["--model", "qwen2.5-0.5b"], process.env).FOUNDRY_MODEL; // "qwen2.5-0.5b"
 */
export function readSettings(
  flags: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Settings {
  const settings: Record<string, unknown> = {};
  const mistakes: Mistake[] = [];
  for (const { name, raw, isFlag } of rawSettings(flags, environment)) {
    if (raw === "") continue;
    const parsed = SETTINGS[name].schema.safeParse(raw);
    if (!parsed.success) {
      const shown = isSecret(name, raw) ? "(hidden)" : JSON.stringify(raw);
      const source = isFlag ? `--${flagOf(name)}` : name;
      const allowed = parsed.error.issues[0]?.message ?? "something else";
      mistakes.push({ name, source, shown, allowed });
    } else {
      settings[name] = parsed.data;
    }
  }
  if (mistakes.length > 0) throw invalidSettings(mistakes);
  return settings;
}

/** The value of a setting, empty where it is unset: a host may leave `${user_config.model}` unfilled. */
function writtenValue(flag: unknown, variable: string | undefined): string {
  const raw = (typeof flag === "string" ? flag : variable)?.trim() ?? "";
  return /^\$\{[^{}]*\}$/.test(raw) ? "" : raw;
}

interface Mistake {
  readonly name: SettingName;
  readonly source: string;
  /** The value, or that it is hidden. */
  readonly shown: string;
  readonly allowed: string;
}

function invalidSettings(mistakes: readonly Mistake[]): FoundryError {
  const whats = mistakes.map(({ source, shown }) => `Invalid value for ${source}: ${shown}.`);
  const fixes = mistakes.map(({ name, source, allowed }) => {
    const subject = mistakes.length === 1 ? "it" : source;
    return `Set ${subject} to ${allowed}, or leave it out (default: ${SETTINGS[name].defaultText}).`;
  });
  return new FoundryError("INVALID_SETTING", whats.join(" "), { action: fixes.join(" ") });
}

export const SETTING_SOURCES = ["flag", "environment", "default"] as const;

/** A setting as it is in force, and where it came from. */
export interface SettingInForce {
  readonly name: SettingName;
  /** As it was written; of a secret only that there is one. */
  readonly value: string;
  readonly source: (typeof SETTING_SOURCES)[number];
}

/** Every setting as {@link readSettings} understands it, for a person who wonders. */
export function settingsInForce(
  flags: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): SettingInForce[] {
  return rawSettings(flags, environment).map(({ name, raw, isFlag }) => {
    if (raw === "") return { name, value: SETTINGS[name].defaultText, source: "default" };
    const value = isSecret(name, raw) ? "(hidden)" : raw;
    return { name, value, source: isFlag ? "flag" : "environment" };
  });
}

/** Every setting as it was written, empty where it was not: a flag outranks its variable. */
export function rawSettings(
  flags: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): { readonly name: SettingName; readonly raw: string; readonly isFlag: boolean }[] {
  const given = parseFlags(flags);
  return SETTING_NAMES.map((name) => {
    const flag = given[flagOf(name)];
    const isFlag = typeof flag === "string";
    return { name, raw: writtenValue(flag, environment[name]), isFlag };
  });
}

/** The flags of the settings, for `parseArgs`. */
export const SETTING_FLAGS: Readonly<Record<string, { readonly type: "string" }>> =
  Object.fromEntries(SETTING_NAMES.map((name) => [flagOf(name), { type: "string" }]));

/** The settings that flags give, each with its flag. */
export function settingsOfFlags(
  flags: readonly string[],
): { readonly name: SettingName; readonly flag: string; readonly raw: string }[] {
  return rawSettings(flags, {}).flatMap(({ name, raw, isFlag }) =>
    isFlag && raw !== "" ? [{ name, flag: `--${flagOf(name)}`, raw }] : [],
  );
}

/**
 * `--files A B` as one value: the form of a host gives each folder as an argument of its own, and no
 * argument where none was chosen.
 */
function withJoinedFolders(flags: readonly string[]): readonly string[] {
  const at = flags.indexOf("--files");
  if (at < 0) return flags;
  const next = flags.findIndex((flag, index) => index > at && flag.startsWith("--"));
  const end = next < 0 ? flags.length : next;
  const folders = flags.slice(at + 1, end).join(folderSeparator(process.platform));
  return [...flags.slice(0, at), `--files=${folders}`, ...flags.slice(end)];
}

function parseFlags(flags: readonly string[]): Record<string, string | boolean | undefined> {
  const known = SETTING_NAMES.map((name) => `--${flagOf(name)}`).join(", ");
  return parsedFlags(
    () =>
      parseArgs({
        args: [...withJoinedFolders(flags)],
        options: SETTING_FLAGS,
        strict: true,
        allowPositionals: false,
      }),
    `Known flags: ${known}. See --help.`,
  );
}

/**
 * What `parseArgs` reads of a command line.
 *
 * @throws FoundryError `INVALID_SETTING` with what Node says of it, and with `action`.
 */
export function parsedFlags<T>(parse: () => { readonly values: T }, action: string): T {
  try {
    return parse().values;
  } catch (error) {
    // What follows in Node's words is advice about positional arguments, which there are none of.
    const first = error instanceof Error ? (error.message.split(/\.\s|\.$|\n/)[0] ?? "") : "";
    throw new FoundryError("INVALID_SETTING", `Invalid arguments: ${first}.`, {
      action,
      cause: error,
    });
  }
}

/** Settings that only a service or a client of this server may see. */
export const SECRETS: ReadonlySet<string> = new Set<SettingName>([
  "FOUNDRY_API_KEY",
  "FOUNDRY_HEADERS",
  "FOUNDRY_HTTP_KEY",
]);

/** Also an address with a password or a key in it, and routes, whose `system` may be a text of the user. */
const isSecret = (name: SettingName, raw: string): boolean =>
  SECRETS.has(name) ||
  name === "FOUNDRY_ROUTES" ||
  (["FOUNDRY_ENDPOINT", "FOUNDRY_OTEL"].includes(name) && /[@?#]/.test(raw));

/** Every setting with its flag, default and meaning, for `--help`. */
export function describeSettings(): string {
  return SETTING_NAMES.map((name) => {
    const { defaultText, meaning } = SETTINGS[name];
    return `  ${name}, --${flagOf(name)}  (default: ${defaultText})\n      ${meaning}`;
  }).join("\n");
}
