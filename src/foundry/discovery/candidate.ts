import { isLoopback, normalizeEndpoint } from "../../http/index.js";

/** An address that somebody told, ready to be probed, or why it is not. */
export type Candidate =
  | { readonly url: string; readonly fault: null }
  | { readonly url: string | null; readonly fault: string };

/** A service that listens on all addresses tells one that nobody can connect to. */
const ALL_ADDRESSES: Readonly<Record<string, string>> = {
  "0.0.0.0": "127.0.0.1",
  "*": "127.0.0.1",
  "+": "127.0.0.1",
  "[::]": "[::1]",
};

/** An address out of a status or a file as an endpoint of this machine. */
export function candidateOf(told: string): Candidate {
  const text = normalizeEndpoint(told);
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "") {
    return { url: null, fault: "tells an address that is none" };
  }
  // The command line tells it when its own line to the service is broken (#286, #405).
  if (url.port === "0") {
    return { url: url.origin, fault: "tells port 0, so it has lost its own line to the service" };
  }
  url.hostname = ALL_ADDRESSES[url.hostname] ?? url.hostname;
  // Prompts are sent there: only a person decides that they leave this machine.
  if (!isLoopback(url.origin)) {
    return {
      url: url.origin,
      fault: `tells ${url.origin}, which is not this machine; set FOUNDRY_ENDPOINT to use it`,
    };
  }
  // Without its path: the status of the old service is told as .../openai/status.
  return { url: url.origin, fault: null };
}

/** The addresses that can be probed, each once, and the first reason against one that cannot. */
export function candidatesOf(told: readonly string[]): {
  readonly urls: readonly string[];
  readonly fault: string | null;
} {
  const candidates = told.map(candidateOf);
  const urls = candidates.flatMap(({ url, fault }) => (fault === null ? [url] : []));
  const fault = candidates.find((candidate) => candidate.fault !== null)?.fault ?? null;
  return { urls: [...new Set(urls)], fault };
}
