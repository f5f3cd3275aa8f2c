import type { Clock } from "./progress-reporter.js";

/** Limits how often a notification is sent; never loses the last one. */
export class Throttle {
  readonly #send: () => Promise<void>;
  readonly #intervalMs: number;
  readonly #clock: Clock;
  #lastAt = Number.NEGATIVE_INFINITY;
  #cancelTimer: (() => void) | null = null;
  #isSending = false;
  /** Another notification is due after the one being sent. */
  #isDue = false;
  #isStopped = false;

  /** @param send Resolves when the notification has been written. */
  constructor(send: () => Promise<void>, intervalMs: number, clock: Clock) {
    this.#send = send;
    this.#intervalMs = intervalMs;
    this.#clock = clock;
  }

  /** Sends at once if the interval has passed, else when it has. */
  happened(): void {
    if (this.#isStopped || this.#cancelTimer !== null) return;
    const wait = this.#lastAt + this.#intervalMs - this.#clock.now();
    if (wait <= 0) this.now();
    else this.#cancelTimer = this.#clock.after(wait, () => this.now());
  }

  /** Sends without waiting for the interval. */
  now(): void {
    if (this.#isStopped) return;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    // Backpressure: while a notification is unsent, only remember that another one is due.
    if (this.#isSending) {
      this.#isDue = true;
      return;
    }
    this.#isSending = true;
    this.#lastAt = this.#clock.now();
    const sent = (): void => {
      this.#isSending = false;
      if (!this.#isDue) return;
      this.#isDue = false;
      this.now();
    };
    // A failed send means that the host has disconnected.
    this.#send().then(sent, sent);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }
}
