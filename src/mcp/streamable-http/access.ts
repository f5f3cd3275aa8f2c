import { createHash, timingSafeEqual } from "node:crypto";
import {
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  validateHostHeader,
  validateOriginHeader,
} from "@modelcontextprotocol/server";

export interface AccessRules {
  /** The address that is listened on. */
  readonly host: string;
  /** What a client must send as a bearer token. */
  readonly key?: string | undefined;
}

/** Why a request is not served. */
export interface Refusal {
  readonly status: 401 | 403;
  readonly message: string;
}

/**
 * Whether a request may be served. A page in a browser can reach every port of its machine. So `Host` is
 * validated against DNS rebinding, and `Origin` against requests of other sites.
 */
export function refusalOf(headers: Headers, { host, key }: AccessRules): Refusal | null {
  const hostnames = [...localhostAllowedHostnames(), bracketed(host)];
  // A server on all addresses has names that are not known here; the key protects it.
  const isAnyAddress = ANY_ADDRESS.has(host);
  const named = validateHostHeader(headers.get("host"), hostnames);
  if (!named.ok && !isAnyAddress) return { status: 403, message: named.message };
  const from = validateOriginHeader(headers.get("origin"), [...localhostAllowedOrigins(), host]);
  if (!from.ok) return { status: 403, message: from.message };
  if (key === undefined || isSame(tokenOf(headers), key)) return null;
  return {
    status: 401,
    message: "The key is missing or wrong. Send it as `Authorization: Bearer KEY`.",
  };
}

const ANY_ADDRESS: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

const bracketed = (host: string): string => (host.includes(":") ? `[${host}]` : host);

const tokenOf = (headers: Headers): string =>
  /^Bearer\s+(\S+)\s*$/i.exec(headers.get("authorization") ?? "")?.[1] ?? "";

/** In constant time, also for texts of different lengths. */
function isSame(one: string, other: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
