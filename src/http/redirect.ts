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
