import { MAX_REQUEST_ID, printable, type SecretMask } from "../lib/index.js";
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
 * How long to wait, as `Retry-After` has it; LiteLLM hands on what the service behind it said. Azure
 * OpenAI also sends the milliseconds, which are more exact.
 */
export function retryAfterOf(headers: Readonly<Record<string, string>>): string | undefined {
  const ms = (headers["retry-after-ms"] ?? headers["llm_provider-retry-after-ms"] ?? "").trim();
  if (/^\d{1,12}(?:\.\d{1,12})?$/.test(ms)) return (Number(ms) / 1000).toFixed(3);
  return headers["retry-after"] ?? headers["llm_provider-retry-after"];
}
