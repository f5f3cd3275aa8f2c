import { RecentMap } from "../../lib/index.js";
import { DEFAULT_REPLY_WITHIN_MS, knownLimitMs } from "./known-hosts.js";

/** Of a host's limit, this part is used: the answer takes time to arrive. */
const SHARE = 0.8;
const SHORTEST_MS = 500;
/** Hosts of one server. The one that called longest ago is forgotten. */
const MOST_HOSTS = 500;
/**
 * The limits of hosts, as they are in use. A host that ends a call without a notification shows its
 * limit only by the time of the next call, which also includes the time that its model needed.
 */
const COMMON_LIMITS_MS = [5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 600].map(
  (seconds) => seconds * 1000,
);

/** How long one host waits for an answer, as far as it is known or was learnt. */
export class HostLimit {
  readonly #isKnown: boolean;
  #replyWithinMs: number;

  constructor(clientName: string | undefined) {
    const limitMs = knownLimitMs(clientName);
    this.#isKnown = limitMs !== null;
    this.#replyWithinMs = limitMs === null ? DEFAULT_REPLY_WITHIN_MS : SHARE * limitMs;
  }

  /** How long a call may take, unless it or a setting says otherwise. */
  get replyWithinMs(): number {
    return this.#replyWithinMs;
  }

  /** The host ended a call by its time limit, after so long. Calls answer earlier from now on. */
  timedOut(afterMs: number): void {
    const allowed = Math.max(SHORTEST_MS, Math.round(SHARE * afterMs));
    this.#replyWithinMs = Math.min(this.#replyWithinMs, allowed);
  }

  /** The host repeated a call that had been unanswered for so long: it may have given up the first. */
  repeated(afterMs: number): void {
    // The known ones send a notification when they give up.
    if (this.#isKnown) return;
    const limitMs = COMMON_LIMITS_MS.findLast((common) => common <= afterMs);
    if (limitMs !== undefined) this.timedOut(limitMs);
  }
}

/** The limits of the hosts of a server, by the names that they send. */
export class HostLimits {
  readonly #byName = new RecentMap<string, HostLimit>(MOST_HOSTS);

  of(clientName: string | undefined): HostLimit {
    const name = clientName ?? "";
    const limit = this.#byName.get(name) ?? new HostLimit(clientName);
    this.#byName.set(name, limit);
    return limit;
  }
}
