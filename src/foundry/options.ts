import { type CircuitOptions, normalizeEndpoint, type RetryOptions } from "../http/index.js";
import { isLoopback, SecretMask, withoutCredentials } from "../lib/index.js";
import type { Logger } from "../log.js";

export type { CircuitOptions, CircuitState, RetryOptions } from "../http/index.js";

/** How to reach a service, and how patient to be with it. All have defaults. */
export interface FoundryClientOptions {
  /**
   * Base URL of the service, with or without `/v1` or a slash, such as `http://127.0.0.1:5273`; it
   * is used and nothing else. Default: the Foundry Local of this machine is found, and found again
   * when it moves.
   */
  readonly endpoint?: string | undefined;
  /**
   * Where it is found: `"declared"` only where its command line or its daemon's file says that it is,
   * `"auto"` (default) also on ports that it often has, if a program of this user listens there.
   */
  readonly discovery?: "auto" | "declared" | undefined;
  /** Start Foundry Local when it is installed but not running. Default `true`. */
  readonly autostart?: boolean | undefined;
  /**
   * Run the core in a process of ours, with the npm package `foundry-local-sdk` beside this one:
   * `true` in place of any other service, `false` never, `"auto"` (default) where there is no other.
   */
  readonly embedded?: boolean | "auto" | undefined;
  /** Path of Foundry Local's command line. Default: found on PATH and where installers put it. */
  readonly cliPath?: string | undefined;
  /** Longest time a download may go without progress, in milliseconds. Default 300 000. */
  readonly downloadStallMs?: number | undefined;
  /** Sent as a bearer token. Default: none. */
  readonly apiKey?: string | undefined;
  /** Sent with every request. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /**
   * Model for completions that name none: alias, name or id. Default: `phi-4-mini` when it is
   * downloaded, else the loaded model, else the first downloaded one that can chat.
   */
  readonly model?: string | undefined;
  /** Tokens of an answer when a request gives none. Default 1024. */
  readonly maxTokens?: number | undefined;
  /** Milliseconds for a request that should answer at once. Default 30 000. */
  readonly timeoutMs?: number | undefined;
  /**
   * Longest silence of a generation in milliseconds, before or between tokens. Default 300 000, in the server longer
   * for a prompt that its model is measured to read for minutes.
   */
  readonly stallTimeoutMs?: number | undefined;
  /** Longest load or unload of a model in milliseconds. Default 900 000. */
  readonly loadTimeoutMs?: number | undefined;
  /** How failed requests are tried again; `{ retries: 3 }` by default. */
  readonly retry?: RetryOptions | undefined;
  /** When an endpoint that keeps failing is left alone for a while. */
  readonly circuit?: CircuitOptions | undefined;
  /** Any pino logger. Default: silent. */
  readonly log?: Logger | undefined;
}

/**
 * The same options, with the user name and the password of the endpoint as an `Authorization` header. A key or an
 * own header of that name outranks them. Logs a warning if the endpoint is another machine without TLS.
 * @internal
 */
export function withCredentialsAsHeader(options: FoundryClientOptions): FoundryClientOptions {
  if (options.endpoint === undefined) return options;
  const { endpoint, authorization } = withoutCredentials(options.endpoint.trim());
  if (!isLoopback(normalizeEndpoint(endpoint)) && /^http:/i.test(endpoint)) {
    const what = "prompts and answers are sent to another machine unencrypted";
    options.log?.warn({ endpoint }, what);
  }
  const names = Object.keys(options.headers ?? {}).map((name) => name.toLowerCase());
  if (authorization === null || names.includes("authorization")) return { ...options, endpoint };
  return { ...options, endpoint, headers: { ...options.headers, authorization } };
}

/** @internal What no error may quote. */
export const secretsIn = ({ headers, apiKey }: FoundryClientOptions): SecretMask =>
  SecretMask.ofHeaders({ ...headers, ...(apiKey === undefined ? {} : { "the key": apiKey }) });
