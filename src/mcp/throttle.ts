import type { Clock } from "./progress-reporter.js";

/** Something worth telling that happens more often than it is worth telling. */
export class Throttle {
  readonly #tell: () => Promise<void>;
  readonly #intervalMs: number;
  readonly #clock: Clock;
  #lastAt = Number.NEGATIVE_INFINITY;
  #cancelTimer: (() => void) | null = null;
  #isTelling = false;
  /** It happened again while it was being told. */
  #isDue = false;
  #isStopped = false;

  /** @param tell Resolves when whoever listens has taken it. */
  constructor(tell: () => Promise<void>, intervalMs: number, clock: Clock) {
    this.#tell = tell;
    this.#intervalMs = intervalMs;
    this.#clock = clock;
  }

  /** It happened: told at once where the last time is long enough ago, else as soon as it is. */
  happened(): void {
    if (this.#isStopped || this.#cancelTimer !== null) return;
    const wait = this.#lastAt + this.#intervalMs - this.#clock.now();
    if (wait <= 0) this.now();
    else this.#cancelTimer = this.#clock.after(wait, () => this.now());
  }

  /** It happened, and does not wait for its turn. */
  now(): void {
    if (this.#isStopped) return;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    // Who does not read gets no more to read, and hears of the rest when it does.
    if (this.#isTelling) {
      this.#isDue = true;
      return;
    }
    this.#isTelling = true;
    this.#lastAt = this.#clock.now();
    const told = (): void => {
      this.#isTelling = false;
      if (!this.#isDue) return;
      this.#isDue = false;
      this.now();
    };
    // Who has gone needs to hear nothing.
    this.#tell().then(told, told);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }
}
