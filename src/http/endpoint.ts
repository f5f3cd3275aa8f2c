import { endpointFault, FoundryError } from "../lib/index.js";

/** The endpoint in its parts: what is connected to, and what stands in front of every path. */
export interface Endpoint {
  readonly baseUrl: string;
  readonly origin: string;
  readonly host: string;
  readonly pathPrefix: string;
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
  const pathPrefix = pathname.replace(/\/+$/, "");
  return { baseUrl: `${origin}${pathPrefix}`, origin, host, pathPrefix };
}

/** Whether an endpoint is this machine. */
export function isLoopback(endpoint: string): boolean {
  const host = URL.canParse(endpoint) ? new URL(endpoint).hostname : "";
  return /^(?:localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host);
}

/**
 * What users copy behind the base: `/v1`, routes below it, and routes of Foundry Local, Ollama and LM
 * Studio beside it.
 */
const COPIED_ROUTE =
  /(?:\/v1)?\/+chat\/+completions$|\/v1(?:\/+(?:completions|models|responses|embeddings))?$|\/openai\/status$|\/api\/(?:chat|generate|tags|v0(?:\/.*)?)$/i;

/**
 * The base of a copied address, without slashes at its end and without `/v1`, which the requests
 * bring themselves.
 *
 * @example
 * normalizeEndpoint("http://localhost:1234/v1/chat/completions/"); // "http://localhost:1234"
 * normalizeEndpoint("https://gateway.example/api/v1"); // "https://gateway.example/api"
 */
export function normalizeEndpoint(endpoint: string): string {
  return endpoint.trim().replace(/\/+$/, "").replace(COPIED_ROUTE, "").replace(/\/+$/, "");
}
