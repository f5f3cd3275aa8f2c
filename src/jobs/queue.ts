import {
  cancelledError,
  FoundryError,
  formatWait,
  MOST_MODELS_REMEMBERED,
  onAbort,
} from "../lib/index.js";
import { RateLimit, type SetTimer } from "./rate-limit.js";

/** A completion that asks for a place. */
export interface Waiter {
  /** Callers have their turns round-robin; each has its own first come, first served. */
  readonly caller: string;
  /** Part of a batch: gives way to single completions, and does not count as waiting in the queue. */
  readonly isBatch: boolean;
  /** Part of work that has begun: it waits also in a full queue. Default `false`. */
  readonly goesOn?: boolean | undefined;
  readonly signal: AbortSignal;
  /** Called with the place, 1 for the next, whenever it changes. */
  readonly onPlace?: ((place: number, etaMs: number | null) => void) | undefined;
}

interface QueueOptions {
  /** Completions that may wait. */
  readonly limit: number;
  readonly now: () => number;
  /** Places of each model. Default: as many as its service generates at once. */
  readonly concurrency?: number | undefined;
  /** Starts a minute, for all models together; 0 is no limit. Default 0. */
  readonly rateLimit?: number | undefined;
  /** For tests. Default: timers of Node. */
  readonly setTimer?: SetTimer | undefined;
}

interface Entry extends Waiter {
  readonly admit: () => void;
  place: number;
}

/** The weight of the newest measurement in an average. */
const WEIGHT = 0.3;

/** The places of one model, with their holders and the completions that wait for one. */
interface Lane {
  slots: number;
  readonly holders: Set<{ readonly isBatch: boolean; readonly since: number }>;
  readonly singles: RoundRobin<Entry>;
  readonly batches: RoundRobin<Entry>;
  /** A moving average of how long a completion holds its place; `null`: not measured. */
  averageMs: number | null;
}

/**
 * The queue of each model: a limited number of completions run at once, the others wait in turn, fair
 * between callers. While single completions wait, batches have half of the places at most, and none
 * where there is only one. With a rate limit they also wait for the next start that it allows: the models
 * take turns then, and batches start only while no single completion waits.
 */
export class Queue {
  readonly #limit: number;
  readonly #now: () => number;
  readonly #concurrency: number | undefined;
  readonly #rate: RateLimit;
  /** One for each model that was used, in the order of their turns at the rate limit. */
  readonly #lanes = new Map<string, Lane>();
  #slots: number;

  constructor({ limit, now, concurrency, rateLimit: perMinute, setTimer }: QueueOptions) {
    this.#limit = limit;
    this.#now = now;
    this.#concurrency = concurrency;
    this.#rate = new RateLimit({ perMinute, now, setTimer });
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

  /** The rate limit and the time until the next start; `null`: none. */
  get rateLimit(): { readonly perMinute: number; readonly nextStartInMs: number } | null {
    const { isLimited, perMinute } = this.#rate;
    return isLimited ? { perMinute, nextStartInMs: this.#rate.until(1) } : null;
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
    this.#serve();
    if (this.#mayStart(lane)) return this.#take(lane, waiter.isBatch);
    const mayWait = waiter.isBatch || waiter.goesOn === true || this.waiting < this.#limit;
    if (!mayWait) throw this.#full(lane);
    return new Promise((resolve, reject) => {
      const turns = waiter.isBatch ? lane.batches : lane.singles;
      const stopListening = onAbort(waiter.signal, () => {
        turns.remove(waiter.caller, entry);
        reject(cancelledError());
        this.#notifyPlaces(lane);
        this.#awaitRate();
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
      this.#awaitRate();
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
        averageMs: null,
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
      if (lane.holders.size === 0 && !hasWaiters(lane)) this.#lanes.delete(model);
    }
  }

  #take(lane: Lane, isBatch: boolean): () => void {
    const holder = { isBatch, since: this.#now() };
    lane.holders.add(holder);
    this.#rate.started();
    return () => {
      if (!lane.holders.delete(holder)) return;
      const heldMs = this.#now() - holder.since;
      const beforeMs = lane.averageMs ?? heldMs;
      lane.averageMs = beforeMs + WEIGHT * (heldMs - beforeMs);
      this.#serve();
    };
  }

  #mayStart({ holders, slots }: Lane): boolean {
    return holders.size < slots && this.#rate.isOpen;
  }

  /** Admits all that may start now, one model after the other. */
  #serve(): void {
    for (const [model, lane] of [...this.#lanes]) {
      if (!hasWaiters(lane) || !this.#serveLane(lane)) continue;
      this.#lanes.delete(model);
      this.#lanes.set(model, lane);
    }
    this.#awaitRate();
  }

  #serveLane(lane: Lane): boolean {
    let hasServed = false;
    while (this.#mayStart(lane)) {
      const next = (this.#isBatchNext(lane) ? lane.batches : lane.singles).next();
      if (next === undefined) break;
      next.admit();
      hasServed = true;
    }
    this.#notifyPlaces(lane);
    return hasServed;
  }

  /** Sets the timer for the next start, if a completion waits for the rate limit alone. */
  #awaitRate(): void {
    // This runs for each completion, and without a limit a free place is taken at once.
    if (!this.#rate.isLimited) return;
    const waits = this.#waitingLanes().some(({ holders, slots }) => holders.size < slots);
    if (waits) this.#rate.wake(() => this.#serve());
    else this.#rate.sleep();
  }

  #waitingLanes(): Lane[] {
    return [...this.#lanes.values()].filter(hasWaiters);
  }

  #isBatchNext(lane: Lane): boolean {
    if (lane.batches.size === 0) return false;
    // With a rate limit places are free, and half of them could take every start.
    if (this.#rate.isLimited) return !this.#waitingLanes().some(startsSingle);
    return lane.singles.size === 0 || hasRoomForBatch(lane);
  }

  #notifyPlaces(lane: Lane): void {
    const until = this.#estimatesOf(lane);
    for (const [index, entry] of this.#orderIn(lane).entries()) {
      const place = index + 1;
      if (entry.place === place) continue;
      entry.place = place;
      entry.onPlace?.(place, until(place));
    }
  }

  /** The estimated order in which the waiting completions are served. Exact if only one kind waits. */
  #orderIn(lane: Lane): Entry[] {
    const [singles, batches] = [lane.singles.order(), lane.batches.order()];
    if (lane.slots < 2 || this.#rate.isLimited) return [...singles, ...batches];
    const [first, second] = this.#isBatchNext(lane) ? [batches, singles] : [singles, batches];
    const both = Math.min(first.length, second.length);
    const turns = first
      .slice(0, both)
      .flatMap((entry, index) => [entry, ...second.slice(index, index + 1)]);
    return [...turns, ...first.slice(both), ...second.slice(both)];
  }

  /** The estimated milliseconds until the turn of a place; `null`: not measured. */
  #estimatesOf(lane: Lane): (place: number) => number | null {
    const now = this.#now();
    // Batches of other models take no start from single completions.
    const rivals = this.#waitingLanes().filter(
      ({ singles }) => lane.singles.size === 0 || singles.size > 0,
    );
    const models = Math.max(1, rivals.length);
    return (place) => {
      const placeMs = untilTurn(place, lane, now);
      const startMs = this.#rate.until((place - 1) * models + 1);
      return placeMs === null ? null : Math.max(placeMs, startMs);
    };
  }

  #full(lane: Lane): FoundryError {
    const retryAfterMs = this.#estimatesOf(lane)(1);
    const when = retryAfterMs === null ? "in a while" : `in ${formatWait(retryAfterMs)}`;
    return new FoundryError("QUEUE_FULL", `The queue is full (${this.#limit} waiting).`, {
      action: `Try again ${when}, or wait for one that runs with \`completions.wait\`.`,
      retryable: true,
      retryAfterMs,
    });
  }
}

const hasWaiters = ({ singles, batches }: Lane): boolean => singles.size + batches.size > 0;

/** Whether a single completion waits for nothing but the rate limit. */
const startsSingle = ({ singles, holders, slots }: Lane): boolean =>
  singles.size > 0 && holders.size < slots;

/** Whether a batch may have one place more while single completions wait. */
function hasRoomForBatch({ slots, holders }: Lane): boolean {
  const held = [...holders].filter(({ isBatch }) => isBatch).length;
  return held + 1 <= slots / 2;
}

/** Milliseconds until the turn of the `place`-th that waits, by the average; `null`: not measured. */
function untilTurn(place: number, { holders, slots, averageMs }: Lane, now: number): number | null {
  const free = Math.max(0, slots - holders.size);
  if (place <= free) return 0;
  if (averageMs === null) return null;
  const held = [...holders].map(({ since }) => Math.max(0, averageMs - (now - since)));
  const left = [...Array<number>(free).fill(0), ...held.sort((a, b) => a - b)];
  const rounds = Math.floor((place - 1) / left.length);
  const first = left[(place - 1) % left.length] ?? 0;
  return Math.round(first + rounds * averageMs);
}

/** A waiting list: first come, first served within a caller, one turn after the other among callers. */
class RoundRobin<T> {
  /** By caller, in the order of their turns. No list is empty. */
  readonly #waiting = new Map<string, T[]>();

  get size(): number {
    return [...this.#waiting.values()].reduce((sum, { length }) => sum + length, 0);
  }

  add(caller: string, one: T): void {
    const own = this.#waiting.get(caller);
    if (own === undefined) this.#waiting.set(caller, [one]);
    else own.push(one);
  }

  remove(caller: string, one: T): void {
    const left = this.#waiting.get(caller)?.filter((each) => each !== one) ?? [];
    if (left.length === 0) this.#waiting.delete(caller);
    else this.#waiting.set(caller, left);
  }

  /** Removes the entry whose turn it is. Its caller goes to the end of the round. */
  next(): T | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    const [caller, own] = first;
    const one = own.shift();
    this.#waiting.delete(caller);
    if (own.length > 0) this.#waiting.set(caller, own);
    return one;
  }

  /** All waiting entries, in the order in which they would be taken without new ones. */
  order(): T[] {
    const { size } = this;
    const order: T[] = [];
    for (let turn = 0; order.length < size; turn += 1) {
      for (const own of this.#waiting.values()) {
        const one = own[turn];
        if (one !== undefined) order.push(one);
      }
    }
    return order;
  }
}
