import { ERRORS_LOGGED_PERIOD_MS, MOST_ERRORS_LOGGED } from "../limits.js";
import type { Logger } from "../log.js";

/** Logs the first warnings of each period and counts the others; the next one says how many there were. */
export class LogThrottle {
  readonly #log: Pick<Logger, "warn">;
  readonly #now: () => number;
  #periodBegan = Number.NEGATIVE_INFINITY;
  #logged = 0;
  #notLogged = 0;

  constructor(log: Pick<Logger, "warn">, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  warn(fields: object, message: string): void {
    const now = this.#now();
    if (now - this.#periodBegan >= ERRORS_LOGGED_PERIOD_MS) {
      this.#periodBegan = now;
      this.#logged = 0;
    }
    if (this.#logged >= MOST_ERRORS_LOGGED) {
      this.#notLogged += 1;
      return;
    }
    this.#logged += 1;
    const before = this.#notLogged === 0 ? {} : { notLogged: this.#notLogged };
    this.#notLogged = 0;
    this.#log.warn({ ...fields, ...before }, message);
  }
}
