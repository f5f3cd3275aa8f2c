import {
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  validateHostHeader,
  validateOriginHeader,
} from "@modelcontextprotocol/server";
import { isSameSecret } from "../../lib/index.js";

export interface AccessRules {
  /** What is listened on: the name or address that was given, and the address that it stands for. */
  readonly hosts: readonly string[];
  /** What a client must send as a bearer token. */
  readonly key?: string | undefined;
}

export interface Refusal {
  readonly status: 401 | 403;
  readonly message: string;
}

/**
 * Whether a request may be served. A page in a browser can reach every port of its machine. So `Host` is
 * validated against DNS rebinding, and `Origin` against requests of other sites.
 */
export function refusalOf(headers: Headers, { hosts, key }: AccessRules): Refusal | null {
  const own = hosts.map(hostnameOf);
  // A server on all addresses has names that are not known here; the key protects it.
  const isAnyAddress = hosts.some((host) => ANY_ADDRESS.has(host));
  const named = validateHostHeader(headers.get("host"), [...localhostAllowedHostnames(), ...own]);
  if (!named.ok && !isAnyAddress) return { status: 403, message: named.message };
  const origins = [...localhostAllowedOrigins(), ...own];
  const from = validateOriginHeader(headers.get("origin"), origins);
  if (!from.ok) return { status: 403, message: from.message };
  if (key === undefined || isSameSecret(tokenOf(headers), key)) return null;
  return {
    status: 401,
    message: "The key is missing or wrong. Send it as `Authorization: Bearer KEY`.",
  };
}

const ANY_ADDRESS: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/** As in a URL: in lower case, an IPv6 address in brackets, in its shortest form and without its zone. */
function hostnameOf(given: string): string {
  const host = given.replace(/%.*$/, "");
  const url = `http://${host.includes(":") ? `[${host}]` : host}`;
  return URL.canParse(url) ? new URL(url).hostname : host;
}

const tokenOf = (headers: Headers): string =>
  /^Bearer\s+(\S+)\s*$/i.exec(headers.get("authorization") ?? "")?.[1] ?? "";
