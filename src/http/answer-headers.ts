import {
  LONGEST_RETRY_AFTER_MS,
  MAX_REQUEST_ID,
  printable,
  type SecretMask,
} from "../lib/index.js";
import type { Endpoint } from "./endpoint.js";
import type { HttpAnswer } from "./types.js";

/** A 303 answers a POST with another resource, so it is none of them. */
const FOLLOWED = new Set([301, 302, 307, 308]);

/**
 * The path to which an endpoint redirects within itself; `null` where it does not redirect or names
 * another origin. A path elsewhere would get the credentials and the prompt.
 */
export function redirectedPath(
  { origin }: Pick<Endpoint, "origin">,
  path: string,
  { status, headers }: Pick<HttpAnswer, "status" | "headers">,
): string | null {
  if (!FOLLOWED.has(status)) return null;
  const target = urlOf(headers["location"], `${origin}${path}`);
  return target?.origin === origin ? `${target.pathname}${target.search}` : null;
}

/** Where a `Location` leads, for people: without its query, which may hold a key. */
export function redirectTarget(location: string | undefined, baseUrl: string): string | null {
  const target = urlOf(location, baseUrl);
  const isWeb = target !== null && /^https?:$/.test(target.protocol);
  return isWeb ? `${target.origin}${target.pathname}` : null;
}

const urlOf = (location: string | undefined, base: string): URL | null =>
  location !== undefined && URL.canParse(location, base) ? new URL(location, base) : null;

/**
 * Where services, and routers in front of them, name a request. LiteLLM names its own id first, then
 * repeats the one of the service behind it.
 */
const HEADERS = [
  "x-litellm-call-id",
  "x-request-id",
  "request-id",
  "llm_provider-x-request-id",
] as const;

/** The ids of a request in the logs of the service and of a router in front of it, or `null`. */
export function requestIdOf(
  headers: Readonly<Record<string, string>>,
  secrets: SecretMask,
): string | null {
  const present = HEADERS.flatMap((name) => headers[name] ?? []);
  if (present.length === 0) return null;
  const values = present.flatMap((value) => value.slice(0, 4096).split(","));
  const ids = new Set(values.map((value) => value.trim()).filter((value) => value !== ""));
  return printable(secrets.hide([...ids].join(", ")), MAX_REQUEST_ID) || null;
}

/**
 * How long the headers of an answer say to wait, in milliseconds; `null` where they say nothing. LiteLLM
 * hands on what the service behind it said. Azure OpenAI also sends the milliseconds, which are more exact.
 */
export function retryAfterMsOf(headers: Readonly<Record<string, string>>): number | null {
  const ms = (headers["retry-after-ms"] ?? headers["llm_provider-retry-after-ms"] ?? "").trim();
  if (/^\d{1,12}(?:\.\d{1,12})?$/.test(ms)) return believed(Math.round(Number(ms)));
  return parseRetryAfter(headers["retry-after"] ?? headers["llm_provider-retry-after"], Date.now());
}

/** `Retry-After` in milliseconds: seconds or an HTTP date. `null` when absent or neither. */
export function parseRetryAfter(value: string | undefined, now: number): number | null {
  if (value === undefined) return null;
  const text = value.trim();
  if (/^\d+(?:\.\d+)?$/.test(text)) return believed(Math.ceil(Number(text) * 1000));
  // Date.parse takes nearly anything, "-5" for one; an HTTP date names its day or begins with one.
  if (!/[A-Za-z]{3}/.test(text)) return null;
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : believed(Math.max(0, date - now));
}

/** No service means that it should be left alone for longer than this. */
const believed = (ms: number): number | null => (ms <= LONGEST_RETRY_AFTER_MS ? ms : null);
