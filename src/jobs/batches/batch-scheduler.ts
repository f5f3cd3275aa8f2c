import type { FoundryError } from "../../lib/index.js";
import type { Turn } from "../gated-stream.js";

export interface BatchSchedulerOptions {
  /** How many may be at it at once, in the queue or running. Asked again whenever one has ended. */
  readonly window: () => number;
  readonly now: () => number;
  /** Between two looks whether a service that has gone is back, in milliseconds: first and longest. */
  readonly pausesMs?: readonly [number, number] | undefined;
  /** How long a service that has gone is waited for. */
  readonly patienceMs?: number | undefined;
}

const PAUSES_MS = [1000, 15_000] as const;
const PATIENCE_MS = 5 * 60_000;

interface Held {
  readonly go: () => void;
  readonly refuse: (error: FoundryError) => void;
}

interface Outage {
  readonly since: number;
  readonly failure: FoundryError;
  /** Who went ahead since. A stream from before may go on and says nothing about new ones. */
  readonly scouts: Set<number>;
  pauseMs: number;
  timer: NodeJS.Timeout | null;
}

/**
 * Lets the items of a batch begin in order, so many at a time. When the service is gone, one of them
 * goes ahead now and then until it is back; items whose prompt was never sent wait for that.
 */
export class BatchScheduler {
  readonly #options: BatchSchedulerOptions;
  readonly #held = new Map<number, Held>();
  readonly #active = new Set<number>();
  #outage: Outage | null = null;
  /** Whether an item of this batch has met a service: else there may be none to come back. */
  #wasThere = false;
  #givenUp: FoundryError | null = null;
  #isStopped = false;

  constructor(options: BatchSchedulerOptions) {
    this.#options = options;
  }

  /** Why nothing goes on at the moment; `null` while it does. */
  get outage(): FoundryError | null {
    return this.#outage?.failure ?? null;
  }

  turnOf(index: number): Turn {
    return (failure) => {
      this.#active.delete(index);
      if (failure !== null && !this.#mayWait(failure)) {
        this.#giveUp(failure);
        return null;
      }
      return new Promise((resolve, reject) => {
        if (this.#givenUp !== null) {
          reject(this.#givenUp);
          return;
        }
        this.#held.set(index, { go: resolve, refuse: reject });
        this.feed();
      });
    };
  }

  /** An item has ended, however. */
  left(index: number): void {
    this.#active.delete(index);
    this.#held.delete(index);
    this.feed();
  }

  /** The service was there when it was asked for a model. */
  metService(): void {
    this.#wasThere = true;
  }

  /** The service generates for an item. */
  serviceAnswers(index: number): void {
    this.#wasThere = true;
    if (this.#outage?.scouts.has(index) !== true) return;
    this.#endOutage();
    this.feed();
  }

  /** Nothing begins any more. */
  stop(): void {
    this.#isStopped = true;
    this.#endOutage();
  }

  feed(): void {
    if (this.#isStopped || this.#held.size === 0) {
      if (this.#active.size === 0) this.#endOutage();
      return;
    }
    if (this.#outage !== null) {
      this.#lookLater(this.#outage);
      return;
    }
    while (this.#held.size > 0 && this.#active.size < this.#options.window()) this.#release();
  }

  /** One after the other, so that a service that is not back costs one attempt. */
  #lookLater(outage: Outage): void {
    if (this.#active.size > 0 || outage.timer !== null) return;
    const [, longestMs] = this.#options.pausesMs ?? PAUSES_MS;
    outage.timer = setTimeout(() => {
      outage.timer = null;
      outage.pauseMs = Math.min(longestMs, 2 * outage.pauseMs);
      this.#release();
    }, outage.pauseMs);
  }

  #release(): void {
    const index = Math.min(...this.#held.keys());
    const held = this.#held.get(index);
    if (held === undefined) return;
    this.#held.delete(index);
    this.#active.add(index);
    this.#outage?.scouts.add(index);
    held.go();
  }

  #mayWait(failure: FoundryError): boolean {
    if (!this.#wasThere || this.#isStopped || this.#givenUp !== null) return false;
    const { now, pausesMs = PAUSES_MS, patienceMs = PATIENCE_MS } = this.#options;
    this.#outage ??= {
      since: now(),
      failure,
      scouts: new Set(),
      pauseMs: pausesMs[0],
      timer: null,
    };
    return now() - this.#outage.since < patienceMs;
  }

  #giveUp(failure: FoundryError): void {
    this.#givenUp ??= failure;
    this.#endOutage();
    for (const { refuse } of this.#held.values()) refuse(failure);
    this.#held.clear();
  }

  #endOutage(): void {
    clearTimeout(this.#outage?.timer ?? undefined);
    this.#outage = null;
  }
}
