import { ERRORS_LOGGED_PERIOD_MS, MOST_ERRORS_LOGGED } from "../../lib/index.js";
import type { Logger } from "../../log.js";

/** Logs the first warnings of each period and counts the others; the next one says how many there were. */
export class LogThrottle {
  readonly #log: Pick<Logger, "warn">;
  readonly #limit: RateLimit;
  #notLogged = 0;

  constructor(log: Pick<Logger, "warn">, now?: () => number) {
    this.#log = log;
    this.#limit = new RateLimit(MOST_ERRORS_LOGGED, ERRORS_LOGGED_PERIOD_MS, now);
  }

  warn(fields: object, message: string): void {
    if (!this.#limit.take()) {
      this.#notLogged += 1;
      return;
    }
    const before = this.#notLogged === 0 ? {} : { notLogged: this.#notLogged };
    this.#notLogged = 0;
    this.#log.warn({ ...fields, ...before }, message);
  }
}

/** At most this many in each period. */
export class RateLimit {
  readonly #most: number;
  readonly #periodMs: number;
  readonly #now: () => number;
  #periodBegan = Number.NEGATIVE_INFINITY;
  #taken = 0;

  constructor(most: number, periodMs: number, now: () => number = () => performance.now()) {
    this.#most = most;
    this.#periodMs = periodMs;
    this.#now = now;
  }

  /** Returns whether there was room for one more. */
  take(): boolean {
    const now = this.#now();
    if (now - this.#periodBegan >= this.#periodMs) {
      this.#periodBegan = now;
      this.#taken = 0;
    }
    this.#taken += 1;
    return this.#taken <= this.#most;
  }
}
