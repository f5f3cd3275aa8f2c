/**
 * What a setting and the library's option of the same meaning may be. Both are checked against these
 * bounds, so that what one accepts the other accepts.
 */

import { percentDecoded } from "./text.js";

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** Times, in seconds: settings are in seconds, options in milliseconds. */
export const SECONDS = {
  keep: { min: 1, max: 86_400 },
  timeout: { min: 0.1, max: 3600 },
  stallTimeout: { min: 0.1, max: 86_400 },
  loadTimeout: { min: 0.1, max: 86_400 },
  downloadStall: { min: 0.1, max: 86_400 },
} as const satisfies Record<string, Bounds>;

export const WHOLE_NUMBERS = {
  concurrency: { min: 1, max: 64 },
  queueLimit: { min: 0, max: 10_000 },
  rateLimit: { min: 0, max: 60_000 },
  cache: { min: 0, max: 10_000 },
  retries: { min: 0, max: 20 },
  maxTokens: { min: 1, max: 1_000_000 },
} as const satisfies Record<string, Bounds>;

export const ENDPOINT_ALLOWED =
  "a URL such as http://127.0.0.1:5273, with or without /v1, and without ? or #";

/**
 * Why a text cannot be the endpoint of a transport, or `null` if it can. Settings and options may hold
 * credentials, which {@link withoutCredentials} takes out. The only rule for it: settings, options and the
 * transport ask it.
 */
export function endpointFault(text: string): "not an endpoint" | "holds credentials" | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) return "not an endpoint";
  // They would end up in logs and messages, and undici does not send them.
  if (url.username !== "" || url.password !== "") return "holds credentials";
  // Asked of the text too: of a bare `?` or `#` the URL has no trace, but paths are put after it.
  return url.search !== "" || url.hash !== "" || /[?#]/.test(text) ? "not an endpoint" : null;
}

/**
 * An endpoint without its user name and password, and the `Authorization` header that they stand for.
 *
 * @example
 * withoutCredentials("http://me:pass@host:1234/v1"); // { endpoint: "http://host:1234/v1", authorization: "Basic bWU6cGFzcw==" }
 */
export function withoutCredentials(text: string): {
  readonly endpoint: string;
  readonly authorization: string | null;
} {
  if (endpointFault(text) !== "holds credentials") return { endpoint: text, authorization: null };
  const url = new URL(text);
  const pair = `${percentDecoded(url.username)}:${percentDecoded(url.password)}`;
  url.username = "";
  url.password = "";
  return {
    endpoint: url.href,
    authorization: `Basic ${Buffer.from(pair).toString("base64")}`,
  };
}

/** Headers that the transport writes itself, or that would break the connection. */
export const OWN_HEADERS: ReadonlySet<string> = new Set([
  "host",
  "connection",
  "content-length",
  "transfer-encoding",
  "expect",
  "upgrade",
  "keep-alive",
  "te",
  "trailer",
]);

/** Why a header cannot be sent, or `null` if it can. The value is not quoted: one is the API key. */
export function headerFault(name: string, value: string): string | null {
  if (OWN_HEADERS.has(name.toLowerCase())) return "is written by the client itself";
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(name)) return "has a name that HTTP does not allow";
  if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) {
    return "has a value with a line break or another character that HTTP does not allow";
  }
  return null;
}

/** What the log writes at least: pino's levels. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Whether an endpoint is this machine. */
export function isLoopback(endpoint: string): boolean {
  const host = URL.canParse(endpoint) ? new URL(endpoint).hostname : "";
  return /^(?:localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host);
}
