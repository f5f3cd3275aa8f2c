import type { FoundryClientOptions } from "../jobs/index.js";
import { SecretMask, withoutCredentials } from "../lib/index.js";
import type { Logger } from "../log.js";
import type { Settings } from "../settings.js";

/** Settings are in seconds and may be unset; the client's options are in milliseconds. */
export function clientOptions(settings: Settings, log: Logger): FoundryClientOptions {
  const { FOUNDRY_RETRIES: retries } = settings;
  return {
    endpoint: settings.FOUNDRY_ENDPOINT,
    discovery: settings.FOUNDRY_DISCOVERY,
    autostart: settings.FOUNDRY_AUTOSTART,
    embedded: settings.FOUNDRY_EMBEDDED,
    cliPath: settings.FOUNDRY_CLI,
    apiKey: settings.FOUNDRY_API_KEY,
    headers: settings.FOUNDRY_HEADERS,
    model: settings.FOUNDRY_MODEL,
    routes: routesOf(settings),
    maxTokens: settings.FOUNDRY_MAX_TOKENS,
    timeoutMs: inMs(settings.FOUNDRY_TIMEOUT),
    stallTimeoutMs: inMs(settings.FOUNDRY_STALL_TIMEOUT),
    loadTimeoutMs: inMs(settings.FOUNDRY_LOAD_TIMEOUT),
    concurrency: settings.FOUNDRY_CONCURRENCY,
    queueLimit: settings.FOUNDRY_QUEUE,
    rateLimit: settings.FOUNDRY_RATE_LIMIT,
    cache: settings.FOUNDRY_CACHE,
    cacheFolder: settings.FOUNDRY_CACHE_DIR,
    downloadStallMs: inMs(settings.FOUNDRY_DOWNLOAD_STALL_TIMEOUT),
    ...(retries === undefined ? {} : { retry: { retries } }),
    log,
  };
}

/** The routes for the client, which has no tools. */
const routesOf = ({ FOUNDRY_ROUTES: routes }: Settings): FoundryClientOptions["routes"] =>
  routes === undefined
    ? undefined
    : Object.fromEntries(
        Object.entries(routes).map(([name, { tool: _, description: __, ...route }]) => [
          name,
          route,
        ]),
      );

/** What no text and no line of the log may show. */
export function secretsOf({
  FOUNDRY_API_KEY: key,
  FOUNDRY_HEADERS: headers,
  FOUNDRY_ENDPOINT: address = "",
}: Settings): SecretMask {
  const { authorization } = withoutCredentials(address);
  return SecretMask.ofHeaders({
    ...headers,
    ...(key === undefined ? {} : { authorization: key }),
    ...(authorization === null ? {} : { "in the address": authorization }),
  });
}

export const inMs = (seconds: number | undefined): number | undefined =>
  seconds === undefined ? undefined : seconds * 1000;
