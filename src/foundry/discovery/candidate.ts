import { normalizeEndpoint } from "../../http/index.js";
import { isLoopback } from "../../lib/index.js";

/** A reported address that can be probed, or the reason why it cannot, as a clause. */
export type Candidate =
  | { readonly url: string; readonly fault: null }
  | { readonly url: string | null; readonly fault: string };

/** A service that listens on all addresses reports one that no client can connect to. */
const ALL_ADDRESSES: Readonly<Record<string, string>> = {
  "0.0.0.0": "127.0.0.1",
  "*": "127.0.0.1",
  "+": "127.0.0.1",
  "[::]": "[::1]",
};

/** An address from a status or a file as an endpoint of this machine. */
export function candidateOf(address: string): Candidate {
  const text = normalizeEndpoint(address);
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "") {
    return { url: null, fault: "reports something that is not an address" };
  }
  // The command line reports port 0 when its own connection to the service is broken (#286, #405).
  if (url.port === "0") {
    return {
      url: url.origin,
      fault: "reports port 0, so it has lost its own connection to the service",
    };
  }
  url.hostname = ALL_ADDRESSES[url.hostname] ?? url.hostname;
  // Prompts are sent to it. Only the user decides that they leave this machine.
  if (!isLoopback(url.origin)) {
    return {
      url: url.origin,
      fault: `reports ${url.origin}, which is not this machine; set the option \`endpoint\` to use it`,
    };
  }
  // Without its path: the legacy service reports .../openai/status.
  return { url: url.origin, fault: null };
}

/** The addresses that can be probed, each once, and the fault of the first that cannot. */
export function candidatesOf(addresses: readonly string[]): {
  readonly urls: readonly string[];
  readonly fault: string | null;
} {
  const candidates = addresses.map(candidateOf);
  const urls = candidates.flatMap(({ url, fault }) => (fault === null ? [url] : []));
  const fault = candidates.find((candidate) => candidate.fault !== null)?.fault ?? null;
  return { urls: [...new Set(urls)], fault };
}
