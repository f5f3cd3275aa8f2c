const MINUTE_MS = 60_000;

/** Calls `fire` after some milliseconds; returns what prevents it. */
export type SetTimer = (ms: number, fire: () => void) => () => void;

const setTimer: SetTimer = (ms, fire) => {
  const timer = setTimeout(fire, ms);
  return () => clearTimeout(timer);
};

interface RateLimitOptions {
  /** Starts a minute; 0 is no limit. Default 0. */
  readonly perMinute?: number | undefined;
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
  /** Default: timers of Node. */
  readonly setTimer?: SetTimer | undefined;
}

/**
 * Spreads starts evenly over time: each is at least a minute divided by the limit after the one before.
 * So no window of 60 seconds has more starts than the limit, and unused starts are not saved up.
 */
export class RateLimit {
  readonly perMinute: number;
  readonly #intervalMs: number;
  readonly #now: () => number;
  readonly #setTimer: SetTimer;
  /** When the next start is allowed. */
  #opensAt = Number.NEGATIVE_INFINITY;
  #stopTimer: (() => void) | null = null;

  constructor(options: RateLimitOptions) {
    this.perMinute = options.perMinute ?? 0;
    this.#intervalMs = this.isLimited ? MINUTE_MS / this.perMinute : 0;
    this.#now = options.now;
    this.#setTimer = options.setTimer ?? setTimer;
  }

  get isLimited(): boolean {
    return this.perMinute > 0;
  }

  get isOpen(): boolean {
    return this.#now() >= this.#opensAt;
  }

  /** Milliseconds until the `turn`-th start from now is allowed, 1 for the next. */
  until(turn: number): number {
    const opensInMs = Math.max(0, this.#opensAt - this.#now());
    return Math.ceil(opensInMs + (turn - 1) * this.#intervalMs);
  }

  /** Something started now. */
  started(): void {
    this.#opensAt = this.#now() + this.#intervalMs;
  }

  /** Calls `open` once, when the next start is allowed. There is one such call at a time. */
  wake(open: () => void): void {
    this.sleep();
    // Node may fire a moment early: then the caller finds the limit closed, and waits again.
    this.#stopTimer = this.#setTimer(Math.max(1, this.until(1)), open);
  }

  /** Nothing waits for the next start. */
  sleep(): void {
    this.#stopTimer?.();
    this.#stopTimer = null;
  }
}
