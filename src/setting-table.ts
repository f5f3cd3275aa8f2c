import { isAbsolute } from "node:path";
import * as z from "zod";
import {
  ENDPOINT_ALLOWED,
  endpointFault,
  LOG_LEVELS,
  SECONDS,
  WHOLE_NUMBERS,
} from "./lib/index.js";
import {
  boolean,
  booleanOrAuto,
  folderSchema,
  foldersSchema,
  headersSchema,
  keySchema,
  oneOf,
  routesSchema,
  seconds,
  wholeNumber,
} from "./setting-schemas.js";

/**
 * The one place that knows a setting's variable. Each setting is a row of this table: its
 * variable, what it accepts, its default and its meaning; parsing, flags and `--help` derive from it.
 */

interface Setting<T extends z.ZodType> {
  /** What the raw text becomes; its error message says what is allowed. */
  readonly schema: T;
  /** As `--help` and docs/settings.md print it. */
  readonly defaultText: string;
  readonly meaning: string;
}

const setting = <T extends z.ZodType>(
  schema: T,
  defaultText: string,
  meaning: string,
): Setting<T> => ({ schema, defaultText, meaning });

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
    oneOf(["auto", "declared"]),
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
  FOUNDRY_API_KEY: setting(keySchema, "none", "bearer token for engines that require one"),
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
    'names for purposes, as JSON: {"code":{"model":"qwen2.5-coder-7b","temperature":0}}. A call with the name as its model gets these settings where it has none of its own: model, models, system, temperature, top_p, max_tokens, stop, seed, reasoning, reasoning_budget. With "tool": true and a "description", the route is also a tool, such as complete_code',
  ),
  FOUNDRY_TIMEOUT: setting(
    seconds(SECONDS.timeout),
    "30",
    "time limit in seconds of a request with a quick answer (probe, list)",
  ),
  FOUNDRY_STALL_TIMEOUT: setting(
    seconds(SECONDS.stallTimeout),
    "300",
    "longest time in seconds without a token, before the first token and between tokens. Where it is not set, a prompt that its model is measured to read for minutes gets up to an hour",
  ),
  FOUNDRY_LOAD_TIMEOUT: setting(
    seconds(SECONDS.loadTimeout),
    "900",
    "time limit in seconds of the load or unload of a model",
  ),
  FOUNDRY_REPLY_WITHIN: setting(
    seconds({ min: 0, max: 3600 }),
    "by host",
    "seconds after which a tool returns the results so far while the work continues, 0 to 3600. Default: 45, or 0.8 of the host's time limit, where its name or its first timeout shows the limit",
  ),
  FOUNDRY_ON_CANCEL: setting(
    oneOf(["auto", "stop", "detach"]),
    "auto",
    "what happens to the work of a cancelled call: stop ends it, detach continues it, auto decides by the reason: a timeout continues it, a stop of the user ends it, no clear reason ends it after 30 seconds unless it is requested again",
  ),
  FOUNDRY_KEEP: setting(
    z.union([oneOf(["auto", "never"]), seconds(SECONDS.keep)], {
      error: "auto, never or a number of seconds from 1 to 86400",
    }),
    "auto",
    "whether an unfinished completion, batch or load goes on when the process of this server ends: auto hands what a tool has promised to a process of this user, which keeps an answer in memory until it is fetched, for ten minutes at most; a number is that limit in seconds; never ends it with the server, and hides the server from `monitor`",
  ),
  FOUNDRY_CONCURRENCY: setting(
    z.union([oneOf(["auto"]), wholeNumber(WHOLE_NUMBERS.concurrency)], {
      error: "a whole number from 1 to 64, or auto",
    }),
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
    foldersSchema,
    "none",
    "folders whose files the tools may read and in which they may write new files, separated as in PATH (: or, on Windows, ;). Without it the tools reach no files",
  ),
  FOUNDRY_VECTORS: setting(
    folderSchema,
    "none",
    "folder in which ask_documents keeps the vectors of texts for later servers: hashes and numbers, no text. Without it they are kept in memory only",
  ),
  FOUNDRY_HTTP_KEY: setting(
    // Others cannot be sent in a header by every client.
    z.string().regex(/^[!-~]{16,}$/, "at least 16 letters, digits and signs, without spaces"),
    "none",
    "bearer token of at least 16 characters, without spaces, that clients of `serve --http` must send. Required for every address that other machines reach",
  ),
  FOUNDRY_OTEL: setting(
    z.url({ protocol: /^https?$/, error: "an http or https URL, such as http://127.0.0.1:4318" }),
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "address of an OpenTelemetry collector, which then gets spans and metrics of calls over OTLP/HTTP, without prompts and answers",
  ),
  FOUNDRY_LOG_LEVEL: setting(
    oneOf(LOG_LEVELS, ", in any case"),
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

/** What becomes of a completion whose call is cancelled. */
export type OnCancel = NonNullable<Settings["FOUNDRY_ON_CANCEL"]>;
