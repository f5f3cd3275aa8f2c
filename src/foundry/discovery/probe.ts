import { HttpTransport, isRefused } from "../../http/index.js";
import { formatDuration, toFoundryError } from "../../lib/index.js";
import type { Logger } from "../../log.js";
import { type DialectName, detectDialect } from "../dialects/index.js";

/**
 * What is at an address: a Foundry Local; nothing, for certain; nothing that took the connection in
 * time, which a service with all hands full may not do; something that takes it and does not answer
 * as a service that lives; something else altogether.
 */
export interface Probed {
  readonly is: "foundry" | "nothing" | "unreached" | "silent" | "other";
  /** Which service it is; `null` where it is none of Foundry Local. */
  readonly dialect: DialectName | null;
  /** A clause for people: `nothing listens there`. */
  readonly outcome: string;
}

const notFoundry = (is: Exclude<Probed["is"], "foundry">, outcome: string): Probed => ({
  is,
  dialect: null,
  outcome,
});

const STRANGER = notFoundry("other", "what answers there is not Foundry Local");

export interface ProbeLimits {
  /** In all, in milliseconds. */
  readonly wholeMs: number;
  readonly signal: AbortSignal;
  readonly log?: Logger | undefined;
}

/** Windows before 10 (1709) tries a refused connection again for two seconds before it says so. */
const CONNECT_MS = 3_500;
/** Less than the whole: a connection that nobody takes is to be told from a silence. */
const CONNECT_SHARE = 0.7;

/**
 * Asks an address who is there, by questions that change nothing. Nothing of the user's settings is
 * sent along: whoever listens on a guessed port must not learn a key. Never rejects.
 */
export async function probe(url: string, { wholeMs, signal, log }: ProbeLimits): Promise<Probed> {
  const tooLate = AbortSignal.timeout(wholeMs);
  const connectMs = Math.min(CONNECT_MS, wholeMs * CONNECT_SHARE);
  const transport = new HttpTransport({ baseUrl: url, connectMs, ...(log && { log }) });
  try {
    const { dialect } = await detectDialect(transport, {
      limits: {},
      signal: AbortSignal.any([tooLate, signal]),
      retry: false,
    });
    if (!dialect.can.isFoundryLocal) return STRANGER;
    return { is: "foundry", dialect: dialect.name, outcome: `${dialect.title} answers there` };
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
          tooLate.aborted
            ? `what listens there did not answer within ${formatDuration(wholeMs)}`
            : "nothing had answered there by then",
        );
      case "SERVICE_ERROR":
      case "SERVICE_BUSY":
        return notFoundry("silent", "what answers there answers only with errors");
      case "SERVICE_UNREACHABLE":
        return notFoundry("silent", "what listens there breaks off without an answer");
      default:
        return STRANGER;
    }
  } finally {
    await transport.close();
  }
}

const isSettled = ({ is }: Probed): boolean => is !== "silent" && is !== "unreached";

/** Probes of one search: an address that is told twice is asked once. */
export class Probes {
  readonly #known = new Map<
    string,
    { readonly wholeMs: number; readonly probed: Promise<Probed> }
  >();

  constructor(
    readonly signal: AbortSignal,
    readonly log: Logger | undefined,
  ) {}

  of(url: string, wholeMs: number): Promise<Probed> {
    const known = this.#known.get(url);
    if (known !== undefined && known.wholeMs >= wholeMs) return known.probed;
    const ask = () => probe(url, { wholeMs, signal: this.signal, log: this.log });
    // Somebody had less patience with it: only what came of that in time is good for others.
    const probed = known?.probed.then((before) => (isSettled(before) ? before : ask())) ?? ask();
    this.#known.set(url, { wholeMs, probed });
    return probed;
  }
}
