import { endpointFault, FoundryError } from "../lib/index.js";

/** The endpoint in its parts: what is connected to, and what stands in front of every path. */
export interface Endpoint {
  readonly baseUrl: string;
  readonly origin: string;
  readonly host: string;
  readonly pathPrefix: string;
  /** What stands in place of `/v1` of a path. */
  readonly apiPrefix: string;
}

export function parseEndpoint(baseUrl: string): Endpoint {
  const fault = endpointFault(baseUrl);
  if (fault === "not an endpoint") {
    throw new FoundryError("INVALID_SETTING", `"${baseUrl}" is not an endpoint.`, {
      action: "Write it as http://host:port, for example http://127.0.0.1:5273.",
    });
  }
  if (fault === "holds credentials") {
    // Not quoted: it would put the password into logs.
    throw new FoundryError("INVALID_SETTING", "The endpoint holds a user name or password.", {
      action: "Leave them out of the address and send them as a header.",
    });
  }
  const { origin, host, pathname } = new URL(baseUrl);
  const path = pathname.replace(/\/+$/, "");
  const otherBase = OTHER_BASE.exec(path)?.[1];
  const pathPrefix = otherBase ?? path;
  const apiPrefix = otherBase ?? `${path}/v1`;
  return { baseUrl: `${origin}${pathPrefix}`, origin, host, pathPrefix, apiPrefix };
}

/** The whole address of chats whose base has a version, but does not end with `/v1`. */
const OTHER_BASE = /^(.*\/v(?!1\/+chat)[1-9]\w*(?:\/openai)?)\/+chat\/+completions$/i;

/**
 * What users copy behind the base: `/v1`, routes below it, and routes of Foundry Local, Ollama and LM
 * Studio beside it.
 */
const COPIED_ROUTE =
  /(?:\/v1)?\/+chat\/+completions$|\/v1(?:\/+(?:completions|models|responses|embeddings|messages|chat))?$|\/openai\/status$|\/api\/(?:chat|generate|tags|v0(?:\/.*)?)$/i;

/**
 * The base of a copied address, without slashes at its end and without `/v1`, which the requests
 * bring themselves. `0.0.0.0` and `[::]`, which stand for all addresses of a machine, become this machine. The
 * address of chats at another base, such as `/v3`, stays whole: it names the base.
 *
 * @example
 * normalizeEndpoint("http://localhost:1234/v1/chat/completions/"); // "http://localhost:1234"
 * normalizeEndpoint("https://gateway.example/api/v1"); // "https://gateway.example/api"
 */
export function normalizeEndpoint(endpoint: string): string {
  const address = endpoint
    .trim()
    .replace(/\/+$/, "")
    // What engines print where they listen on all addresses.
    .replace(/(?<=^https?:\/\/)0\.0\.0\.0(?=[:/]|$)/i, "127.0.0.1")
    .replace(/(?<=^https?:\/\/)\[::\](?=[:/]|$)/i, "[::1]");
  if (OTHER_BASE.test(address)) return address;
  return address.replace(COPIED_ROUTE, "").replace(/\/+$/, "");
}
