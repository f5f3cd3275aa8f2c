import { cancelledError, FoundryError, onAbort } from "../../lib/index.js";
import { Durations } from "./durations.js";
import { RoundRobin } from "./round-robin.js";

/** Who waits, and for what. */
export interface Waiter {
  /** Whose turn it is goes round among callers; each has its own first come, first served. */
  readonly caller: string;
  /** Part of a batch: gives way to single completions, and does not count as waiting in the queue. */
  readonly isBatch: boolean;
  readonly signal: AbortSignal;
  /** Called with the place, 1 for the next, whenever it changes. */
  readonly onPlace?: (place: number, etaMs: number | null) => void;
}

export interface QueueOptions {
  /** Completions that may wait. */
  readonly limit: number;
  readonly now: () => number;
}

interface Entry extends Waiter {
  readonly admit: () => void;
  place: number;
}

interface Holder {
  readonly isBatch: boolean;
  readonly since: number;
}

/** The places of one model, who has one, and who waits for one. */
interface Lane {
  slots: number;
  readonly holders: Set<Holder>;
  readonly singles: RoundRobin<Entry>;
  readonly batches: RoundRobin<Entry>;
  readonly durations: Durations;
}

/**
 * The queue in front of each model: so many at once, the rest in turn, fair between callers. While
 * single completions wait, batches have half of the places at most, and none where there is only one.
 */
export class Queue {
  readonly #limit: number;
  readonly #now: () => number;
  /** As many as models were used. */
  readonly #lanes = new Map<string, Lane>();

  constructor({ limit, now }: QueueOptions) {
    this.#limit = limit;
    this.#now = now;
  }

  /** How many wait, those of batches not counted. */
  get waiting(): number {
    return [...this.#lanes.values()].reduce((sum, { singles }) => sum + singles.size, 0);
  }

  /** How many have a place. */
  get running(): number {
    return [...this.#lanes.values()].reduce((sum, { holders }) => sum + holders.size, 0);
  }

  /**
   * Waits for a place in front of a model.
   *
   * @param slots How many places the model has.
   * @returns what gives the place back; further calls of it do nothing.
   * @throws FoundryError `QUEUE_FULL` at once, `CANCELLED` when its signal is aborted.
   */
  async enter(model: string, slots: number, waiter: Waiter): Promise<() => void> {
    if (waiter.signal.aborted) throw cancelledError();
    const lane = this.#lane(model, slots);
    // There may be more places than when the others began to wait.
    this.#serve(lane);
    if (lane.holders.size < lane.slots) return this.#take(lane, waiter.isBatch);
    if (!waiter.isBatch && this.waiting >= this.#limit) throw this.#full(lane);
    return new Promise((resolve, reject) => {
      const turns = waiter.isBatch ? lane.batches : lane.singles;
      const stopListening = onAbort(waiter.signal, () => {
        turns.remove(waiter.caller, entry);
        reject(cancelledError());
        this.#tellPlaces(lane);
      });
      const entry: Entry = {
        ...waiter,
        place: 0,
        admit: () => {
          stopListening();
          resolve(this.#take(lane, waiter.isBatch));
        },
      };
      turns.add(waiter.caller, entry);
      this.#tellPlaces(lane);
    });
  }

  #lane(model: string, slots: number): Lane {
    let lane = this.#lanes.get(model);
    if (lane === undefined) {
      lane = {
        slots,
        holders: new Set(),
        singles: new RoundRobin(),
        batches: new RoundRobin(),
        durations: new Durations(),
      };
      this.#lanes.set(model, lane);
    }
    lane.slots = slots;
    return lane;
  }

  #take(lane: Lane, isBatch: boolean): () => void {
    const holder: Holder = { isBatch, since: this.#now() };
    lane.holders.add(holder);
    return () => {
      if (!lane.holders.delete(holder)) return;
      lane.durations.add(this.#now() - holder.since);
      this.#serve(lane);
    };
  }

  #serve(lane: Lane): void {
    while (lane.holders.size < lane.slots) {
      const next = (isBatchNext(lane) ? lane.batches : lane.singles).next();
      if (next === undefined) break;
      next.admit();
    }
    this.#tellPlaces(lane);
  }

  #tellPlaces(lane: Lane): void {
    const heldMs = [...lane.holders].map(({ since }) => this.#now() - since);
    for (const [index, entry] of orderIn(lane).entries()) {
      const place = index + 1;
      if (entry.place === place) continue;
      entry.place = place;
      entry.onPlace?.(place, lane.durations.until(place, heldMs));
    }
  }

  #full({ durations, holders }: Lane): FoundryError {
    const heldMs = [...holders].map(({ since }) => this.#now() - since);
    const retryAfterMs = durations.until(1, heldMs);
    const when =
      retryAfterMs === null ? "in a while" : `in ${Math.max(1, Math.ceil(retryAfterMs / 1000))} s`;
    return new FoundryError("QUEUE_FULL", `The queue is full (${this.#limit} waiting).`, {
      action: `Try again ${when}, or wait for one that runs with \`completions.wait\`.`,
      retryable: true,
      ...(retryAfterMs === null ? {} : { retryAfterMs }),
    });
  }
}

/** Whether a batch may have one place more while single completions wait. */
function hasRoomForBatch({ slots, holders }: Lane): boolean {
  const held = [...holders].filter(({ isBatch }) => isBatch).length;
  return held + 1 <= slots / 2;
}

function isBatchNext(lane: Lane): boolean {
  if (lane.batches.size === 0) return false;
  return lane.singles.size === 0 || hasRoomForBatch(lane);
}

/** Roughly who would be served in which order; exact where only the one or the other kind waits. */
function orderIn(lane: Lane): Entry[] {
  const [singles, batches] = [lane.singles.order(), lane.batches.order()];
  if (lane.slots < 2) return [...singles, ...batches];
  const [first, second] = isBatchNext(lane) ? [batches, singles] : [singles, batches];
  const both = Math.min(first.length, second.length);
  const turns = first
    .slice(0, both)
    .flatMap((entry, index) => [entry, ...second.slice(index, index + 1)]);
  return [...turns, ...first.slice(both), ...second.slice(both)];
}
