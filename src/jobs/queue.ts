import {
  cancelledError,
  FoundryError,
  formatWait,
  MOST_MODELS_REMEMBERED,
  onAbort,
} from "../lib/index.js";

/** A completion that asks for a place. */
export interface Waiter {
  /** Callers have their turns round-robin; each has its own first come, first served. */
  readonly caller: string;
  /** Part of a batch: gives way to single completions, and does not count as waiting in the queue. */
  readonly isBatch: boolean;
  readonly signal: AbortSignal;
  /** Called with the place, 1 for the next, whenever it changes. */
  readonly onPlace?: ((place: number, etaMs: number | null) => void) | undefined;
}

export interface QueueOptions {
  /** Completions that may wait. */
  readonly limit: number;
  readonly now: () => number;
  /** Places of each model. Default: as many as its service generates at once. */
  readonly concurrency?: number | undefined;
}

interface Entry extends Waiter {
  readonly admit: () => void;
  place: number;
}

interface Holder {
  readonly isBatch: boolean;
  readonly since: number;
}

/** The places of one model, with their holders and the completions that wait for one. */
interface Lane {
  slots: number;
  readonly holders: Set<Holder>;
  readonly singles: RoundRobin<Entry>;
  readonly batches: RoundRobin<Entry>;
  readonly durations: Durations;
}

/**
 * The queue of each model: a limited number of completions run at once, the others wait in turn, fair
 * between callers. While single completions wait, batches have half of the places at most, and none
 * where there is only one.
 */
export class Queue {
  readonly #limit: number;
  readonly #now: () => number;
  readonly #concurrency: number | undefined;
  /** One for each model that was used. */
  readonly #lanes = new Map<string, Lane>();
  #slots: number;

  constructor({ limit, now, concurrency }: QueueOptions) {
    this.#limit = limit;
    this.#now = now;
    this.#concurrency = concurrency;
    this.#slots = concurrency ?? 1;
  }

  /** How many places a model has, as far as the service is known. */
  get slots(): number {
    return this.#slots;
  }

  /** How many completions wait, without those of batches. */
  get waiting(): number {
    return [...this.#lanes.values()].reduce((sum, { singles }) => sum + singles.size, 0);
  }

  /** How many completions have a place. */
  get running(): number {
    return [...this.#lanes.values()].reduce((sum, { holders }) => sum + holders.size, 0);
  }

  /**
   * Waits for a place in the queue of a model.
   *
   * @param generationsAtOnce How many generations of the model its service runs at once.
   * @returns the function that gives the place back. Further calls of it do nothing.
   * @throws FoundryError `QUEUE_FULL` at once, `CANCELLED` when its signal is aborted.
   */
  async enter(model: string, generationsAtOnce: number, waiter: Waiter): Promise<() => void> {
    if (waiter.signal.aborted) throw cancelledError();
    this.#slots = this.#concurrency ?? generationsAtOnce;
    const lane = this.#lane(model, this.#slots);
    // The number of places may have grown since the others began to wait.
    this.#serve(lane);
    if (lane.holders.size < lane.slots) return this.#take(lane, waiter.isBatch);
    if (!waiter.isBatch && this.waiting >= this.#limit) throw this.#full(lane);
    return new Promise((resolve, reject) => {
      const turns = waiter.isBatch ? lane.batches : lane.singles;
      const stopListening = onAbort(waiter.signal, () => {
        turns.remove(waiter.caller, entry);
        reject(cancelledError());
        this.#notifyPlaces(lane);
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
      this.#notifyPlaces(lane);
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
      this.#evictIdle();
    }
    lane.slots = slots;
    return lane;
  }

  /** A model that is not in use loses the measured durations first. */
  #evictIdle(): void {
    for (const [model, lane] of this.#lanes) {
      if (this.#lanes.size <= MOST_MODELS_REMEMBERED) return;
      const isIdle = lane.holders.size + lane.singles.size + lane.batches.size === 0;
      if (isIdle) this.#lanes.delete(model);
    }
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
    this.#notifyPlaces(lane);
  }

  #notifyPlaces(lane: Lane): void {
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
    const when = retryAfterMs === null ? "in a while" : `in ${formatWait(retryAfterMs)}`;
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

/** The estimated order in which the waiting completions are served. Exact if only one kind waits. */
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

/** A waiting list: first come, first served within a caller, one turn after the other among callers. */
class RoundRobin<T> {
  /** By caller, in the order of their turns. No list is empty. */
  readonly #waiting = new Map<string, T[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(caller: string, one: T): void {
    this.#size += 1;
    const own = this.#waiting.get(caller);
    if (own === undefined) this.#waiting.set(caller, [one]);
    else own.push(one);
  }

  remove(caller: string, one: T): void {
    const own = this.#waiting.get(caller);
    const index = own?.indexOf(one) ?? -1;
    if (own === undefined || index < 0) return;
    own.splice(index, 1);
    this.#size -= 1;
    if (own.length === 0) this.#waiting.delete(caller);
  }

  /** Removes the entry whose turn it is. Its caller goes to the end of the round. */
  next(): T | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    const [caller, own] = first;
    const one = own.shift();
    this.#size -= 1;
    this.#waiting.delete(caller);
    if (own.length > 0) this.#waiting.set(caller, own);
    return one;
  }

  /** All waiting entries, in the order in which they would be taken without new ones. */
  order(): T[] {
    const order: T[] = [];
    for (let turn = 0; order.length < this.#size; turn += 1) {
      for (const own of this.#waiting.values()) {
        const one = own[turn];
        if (one !== undefined) order.push(one);
      }
    }
    return order;
  }
}

/** The weight of the newest measurement. */
const WEIGHT = 0.3;

/** A moving average of how long a completion holds its place. */
class Durations {
  #averageMs: number | null = null;

  add(ms: number): void {
    this.#averageMs =
      this.#averageMs === null ? ms : this.#averageMs + WEIGHT * (ms - this.#averageMs);
  }

  /**
   * Estimated milliseconds until the turn of the `place`-th in the queue; `null`: not measured.
   *
   * @param heldMs How long each holder has had its place.
   */
  until(place: number, heldMs: readonly number[]): number | null {
    const average = this.#averageMs;
    if (average === null) return null;
    const left = heldMs.map((ms) => Math.max(0, average - ms)).sort((a, b) => a - b);
    const rounds = left.length === 0 ? place : Math.floor((place - 1) / left.length);
    const first = left[(place - 1) % left.length] ?? 0;
    return Math.round(first + rounds * average);
  }
}
