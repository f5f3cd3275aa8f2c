/** What a call is at before its own work can begin, for people who wait for it. */
export interface StatusUpdate {
  /** `found` ends `finding` and `starting`: the call's own work begins. */
  readonly step: "finding" | "starting" | "found" | "downloading" | "waiting" | "loading";
  /** A sentence without a full stop, such as `Starting Foundry Local with foundry server start`. */
  readonly message: string;
  /** Of a download, as far as it is told; `null` otherwise. Never falls. */
  readonly percent: number | null;
}

export type OnStatus = (news: StatusUpdate) => void;

/** Those who wait for one work that all of them share, and what they have been told of it. */
export class StatusListeners {
  readonly #tellers = new Set<OnStatus>();
  #latest: StatusUpdate | null = null;

  get size(): number {
    return this.#tellers.size;
  }

  get latest(): StatusUpdate | null {
    return this.#latest;
  }

  /** Tells whoever comes what the others know already. Returns what ends it. */
  join(tell: OnStatus | undefined): () => void {
    // A function of its own for each, since two may be told through the same one.
    const teller: OnStatus = (news) => tell?.(news);
    this.#tellers.add(teller);
    if (this.#latest !== null) teller(this.#latest);
    return () => {
      this.#tellers.delete(teller);
    };
  }

  tell(news: StatusUpdate): void {
    this.#latest = news;
    // Of a copy: whoever comes meanwhile is told on coming.
    for (const teller of [...this.#tellers]) teller(news);
  }
}
