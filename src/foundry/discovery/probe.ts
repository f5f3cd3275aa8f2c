import { HttpTransport, isRefused, normalizeEndpoint } from "../../http/index.js";
import { formatDuration, isLoopback, toFoundryError, untilAborted } from "../../lib/index.js";
import type { Logger } from "../../log.js";
import type { ListenerOwner } from "../../platform/index.js";
import { type Dialect, detectDialect } from "../dialects/index.js";

/** A reported address that can be probed, or the reason why it cannot, as a clause. */
type Candidate =
  | { readonly url: string; readonly fault: null }
  | { readonly url: null; readonly fault: string };

/** How .NET writes all addresses of a machine. No client can connect to them. */
const ALL_ADDRESSES: ReadonlySet<string> = new Set(["*", "+"]);

/** An address from a status or a file as an endpoint of this machine. */
export function candidateOf(address: string): Candidate {
  const text = normalizeEndpoint(address);
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "") {
    return { url: null, fault: "reports something that is not an address" };
  }
  // The command line reports port 0 when its own connection to the service is broken (#286, #405).
  if (url.port === "0") {
    return { url: null, fault: "reports port 0, so it has lost its own connection to the service" };
  }
  if (ALL_ADDRESSES.has(url.hostname)) url.hostname = "127.0.0.1";
  // Prompts are sent to it. Only the user decides that they leave this machine.
  if (!isLoopback(url.origin)) {
    const fault = `reports ${url.origin}, which is not this machine; set the option \`endpoint\` to use it`;
    return { url: null, fault };
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
  const urls = candidates.flatMap(({ url }) => url ?? []);
  const [fault = null] = candidates.flatMap((candidate) => candidate.fault ?? []);
  return { urls: [...new Set(urls)], fault };
}

export interface Probed {
  readonly url: string;
  /**
   * `foundry`: a Foundry Local. `nothing`: certainly nothing listens. `unreached`: no connection in
   * time, which is possible with a service under full load. `silent`: the connection was accepted,
   * but not answered as a working service does. `other`: another program.
   */
  readonly is: "foundry" | "nothing" | "unreached" | "silent" | "other";
  /** Which service it is; `null` unless it is a Foundry Local. */
  readonly dialect: Pick<Dialect, "name" | "can"> | null;
  /** A clause for people: `nothing listens there`. */
  readonly outcome: string;
}

interface ProbeLimits {
  /** In all, in milliseconds. */
  readonly wholeMs: number;
  readonly signal: AbortSignal;
  readonly log?: Logger | undefined;
}

/** Windows before 10 (1709) retries a refused connection for two seconds before it reports that. */
const CONNECT_MS = 3_500;
/** Shorter than the whole probe, so that a connection timeout differs from a missing answer. */
const CONNECT_SHARE = 0.7;

/**
 * Identifies the service at an address, with requests that change nothing. The user's settings are
 * not sent along: an unknown program on a guessed port must not learn a key. Never rejects.
 */
export async function probe(url: string, { wholeMs, signal, log }: ProbeLimits): Promise<Probed> {
  const notFoundry = (is: Exclude<Probed["is"], "foundry">, outcome: string): Probed => ({
    url,
    is,
    dialect: null,
    outcome,
  });
  const timeout = AbortSignal.timeout(wholeMs);
  const connectMs = Math.min(CONNECT_MS, wholeMs * CONNECT_SHARE);
  const transport = new HttpTransport({ baseUrl: url, connectMs, log });
  try {
    const { dialect } = await detectDialect(transport, {
      limits: {},
      signal: AbortSignal.any([timeout, signal]),
      retry: false,
    });
    if (!dialect.can.isFoundryLocal) return notFoundry("other", NOT_FOUNDRY_LOCAL);
    return { url, is: "foundry", dialect, outcome: `${dialect.title} answers there` };
  } catch (thrown) {
    const error = toFoundryError(thrown);
    if (isRefused(error)) {
      return error.code === "TIMEOUT"
        ? notFoundry(
            "unreached",
            `nothing took a connection there within ${formatDuration(connectMs)}`,
          )
        : notFoundry("nothing", "nothing listens there");
    }
    switch (error.code) {
      case "CANCELLED":
        return notFoundry(
          "silent",
          timeout.aborted
            ? `what listens there did not answer within ${formatDuration(wholeMs)}`
            : "nothing had answered there by then",
        );
      case "SERVICE_ERROR":
      case "SERVICE_BUSY":
        return notFoundry("silent", "what answers there answers only with errors");
      case "SERVICE_UNREACHABLE":
        return notFoundry("silent", "what listens there breaks off without an answer");
      default:
        return notFoundry("other", NOT_FOUNDRY_LOCAL);
    }
  } finally {
    await transport.close();
  }
}

const NOT_FOUNDRY_LOCAL = "what answers there is not Foundry Local";

export const isFoundryLocal = ({ is }: Probed): boolean => is === "foundry";

/** Which user's program listens on a port of this machine. */
export type OwnerOf = (port: number, signal: AbortSignal) => Promise<ListenerOwner>;

/** Another user's program could read the prompts and forge the answers. */
export const OTHER_USER = "what listens there is another user's, so it is not used";

export function ownerAt(
  endpoint: string,
  { ownerOf, signal }: { readonly ownerOf: OwnerOf; readonly signal: AbortSignal },
): Promise<ListenerOwner> {
  const { port, protocol } = new URL(endpoint);
  const number = Number(port || (protocol === "https:" ? 443 : 80));
  return untilAborted(ownerOf(number, signal), signal);
}

/**
 * The probes of addresses that may be those of an earlier run: where another user's service has taken
 * one since, it is no Foundry Local of this user.
 */
export const withoutOthers = (
  probed: readonly Probed[],
  asked: { readonly ownerOf: OwnerOf; readonly signal: AbortSignal },
): Promise<Probed[]> =>
  Promise.all(
    probed.map(async (each) =>
      isFoundryLocal(each) && (await ownerAt(each.url, asked)) === "other"
        ? { url: each.url, is: "other" as const, dialect: null, outcome: OTHER_USER }
        : each,
    ),
  );

export const isNothing = ({ is }: Probed): boolean => is === "nothing";

const isConclusive = ({ is }: Probed): boolean => is !== "silent" && is !== "unreached";

/** Makes the probe of one search: an address from two sources is probed once. */
export function sharedProbe(limits: Omit<ProbeLimits, "wholeMs">) {
  const all = new Map<string, { readonly wholeMs: number; readonly probed: Promise<Probed> }>();
  return (url: string, wholeMs: number): Promise<Probed> => {
    const known = all.get(url);
    if (known !== undefined && known.wholeMs >= wholeMs) return known.probed;
    const ask = () => probe(url, { ...limits, wholeMs });
    // The earlier probe had a shorter limit: its result is reused only if it is conclusive.
    const probed = known?.probed.then((before) => (isConclusive(before) ? before : ask())) ?? ask();
    all.set(url, { wholeMs, probed });
    return probed;
  };
}
