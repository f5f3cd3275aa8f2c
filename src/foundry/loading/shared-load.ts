import { cancelledError, untilAborted } from "../../lib/index.js";
import type { OnStatus, StatusUpdate } from "../status.js";

/**
 * One load and all who wait for it. As long as the service has not been asked, it ends when nobody
 * waits any more; from then on it goes on whoever waits, as it does in the service.
 */
export class SharedLoad<T> {
  /** Whether any of them wants it whatever the memory. */
  isForced = false;
  readonly outcome: Promise<T>;
  readonly #leaving = new AbortController();
  readonly #tellers = new Set<OnStatus>();
  #hasBegun = false;
  #news: StatusUpdate | null = null;

  constructor(work: (load: SharedLoad<T>) => Promise<T>) {
    this.outcome = work(this);
    // Those who wait see the failure; when all have given up, it is nobody's.
    this.outcome.catch(() => {});
  }

  /** Aborted when all have left before it began. */
  get signal(): AbortSignal {
    return this.#leaving.signal;
  }

  /** @throws FoundryError `CANCELLED` where nobody wants it any more. */
  begin(): void {
    if (this.signal.aborted) throw cancelledError();
    this.#hasBegun = true;
  }

  tell(news: StatusUpdate): void {
    this.#news = news;
    for (const tell of [...this.#tellers]) tell(news);
  }

  async join(signal?: AbortSignal, tell?: OnStatus): Promise<T> {
    // A function of its own for each, since two may be told through the same one.
    let fail = (_defect: unknown): void => {};
    const broken = new Promise<never>((_resolve, reject) => {
      fail = reject;
    });
    const teller: OnStatus = (news) => {
      try {
        tell?.(news);
      } catch (defect) {
        // Of whoever is told, and no reason for the load to fail, which others wait for, too.
        fail(defect);
      }
    };
    this.#tellers.add(teller);
    if (this.#news !== null) teller(this.#news);
    try {
      return await untilAborted(Promise.race([this.outcome, broken]), signal);
    } finally {
      this.#tellers.delete(teller);
      if (this.#tellers.size === 0 && !this.#hasBegun) this.#leaving.abort();
    }
  }
}
