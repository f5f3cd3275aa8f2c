import type { CompletionRequest, CompletionStatus } from "../../foundry/index.js";
import { cancelledError, type FoundryError, onAbort, toFoundryError } from "../../lib/index.js";
import type { RunEvent } from "../completion-run.js";
import { type CompletionState, hasEnded } from "../completion-state.js";
import type { Completions } from "../completions.js";
import { NOT_REACHED, refusedCompletion } from "../gated-stream.js";
import { BatchScheduler, type BatchSchedulerOptions } from "./batch-scheduler.js";

/** An item that has come to its end. `index` counts from 0, in the order of the input. */
export interface BatchResult {
  readonly index: number;
  readonly state: CompletionState;
}

/** A request, or why what was given is none: then only this item fails. */
export type BatchEntry = CompletionRequest | FoundryError;

export interface BatchParts {
  readonly id: string;
  /** What makes two batches the same. */
  readonly key: string;
  readonly entries: readonly BatchEntry[];
  readonly completions: Completions;
  readonly feeding: BatchSchedulerOptions;
  /** Takes each result as it comes. Default: they are kept until {@link Batch.take}. */
  readonly onResult?: ((result: BatchResult) => void) | undefined;
}

interface Item {
  readonly index: number;
  readonly id: string;
  status: CompletionStatus;
  isTaken: boolean;
  /** Of its text and its error, in characters. */
  length: number;
  readonly createdAt: number;
  endedAt: number | null;
}

/** Ends of an item that say nothing about whether the service is there. */
const SAY_NOTHING = new Set([...NOT_REACHED, "INVALID_ARGUMENT", "CANCELLED", "CLIENT_CLOSED"]);

/** Ends with which it was there, and may be no more. */
const DIED = new Set(["SERVER_CRASHED", "STREAM_INTERRUPTED"]);

/**
 * Many completions that were asked for together. Each is one of its own in the queue; the batch lets
 * them begin little by little and keeps what came of them until it is taken.
 */
export class Batch {
  readonly id: string;
  readonly key: string;
  #isDetached = false;
  readonly #completions: Completions;
  readonly #feeder: BatchScheduler;
  readonly #items: readonly Item[];
  readonly #onResult: BatchParts["onResult"];
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();
  #waits = 0;
  #touchedAt: number;

  constructor({ id, key, entries, completions, feeding, onResult }: BatchParts) {
    this.id = id;
    this.key = key;
    this.#completions = completions;
    this.#feeder = new BatchScheduler(feeding);
    this.#onResult = onResult;
    this.#now = feeding.now;
    this.#touchedAt = feeding.now();
    this.#items = entries.map((entry, index) => this.#enlist(entry, index));
  }

  /** Whether the host's call ended while the batch went on. The next identical call continues a detached batch. */
  get isDetached(): boolean {
    return this.#isDetached;
  }

  detach(): void {
    this.#isDetached = true;
  }

  attach(): void {
    this.#isDetached = false;
  }

  get size(): number {
    return this.#items.length;
  }

  get hasEnded(): boolean {
    return this.#items.every(hasEnded);
  }

  /** How many have come to their end, however. */
  get done(): number {
    return this.#items.filter(hasEnded).length;
  }

  /** Whether a call waits for it. */
  get isWatched(): boolean {
    return this.#waits > 0;
  }

  /** Characters of all results that have not been taken yet. */
  get readyLength(): number {
    return this.#items.reduce((sum, { isTaken, length }) => sum + (isTaken ? 0 : length), 0);
  }

  /** Whether its service is gone and it waits for it; why. */
  get outage(): FoundryError | null {
    return this.#feeder.outage;
  }

  /** When anything of it last changed or was asked for. */
  get touchedAt(): number {
    return this.#touchedAt;
  }

  /** Ids of the completions whose result has not been taken, in the order of the input. */
  get pending(): string[] {
    return this.#items.filter(({ isTaken }) => !isTaken).map(({ id }) => id);
  }

  /** How many items stand how. */
  counts(): Record<CompletionStatus, number> {
    const counts = { ...NONE };
    for (const { id, status } of this.#items) {
      // One that has ended may not be kept any more.
      counts[hasEnded({ status }) ? status : this.#completions.get(id).status] += 1;
    }
    return counts;
  }

  /** Results that have not been taken yet, in the order of the input. */
  *ready(): Generator<BatchResult> {
    for (const item of this.#items) {
      if (!item.isTaken && hasEnded(item)) yield { index: item.index, state: this.#stateOf(item) };
    }
  }

  /** From now on it is only kept as any completion is. */
  take(index: number): void {
    const item = this.#items[index];
    if (item === undefined) return;
    item.isTaken = true;
    this.#touchedAt = this.#now();
    this.#completions.unpin(item.id);
  }

  /**
   * Waits until all have ended, or there is enough.
   *
   * @throws FoundryError `CANCELLED` for the waiting.
   */
  async wait(options: {
    readonly withinMs: number;
    readonly signal: AbortSignal;
    readonly isEnough: () => boolean;
  }): Promise<void> {
    const { withinMs, signal, isEnough } = options;
    if (signal.aborted) throw cancelledError();
    this.#touchedAt = this.#now();
    const isOver = (): boolean => this.hasEnded || isEnough();
    if (withinMs === 0 || isOver()) return;
    const ends: (() => void)[] = [];
    this.#waits += 1;
    try {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(resolve, withinMs);
        ends.push(() => clearTimeout(timer));
        ends.push(onAbort(signal, () => reject(cancelledError())));
        ends.push(this.onChange(() => isOver() && resolve()));
      });
    } finally {
      this.#waits -= 1;
      for (const end of ends) end();
      this.#touchedAt = this.#now();
    }
  }

  /** Calls the listener when an item begins or ends. Returns the function that removes it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Nothing of it begins any more. */
  stop(): void {
    this.#feeder.stop();
  }

  /**
   * Stops what has not ended; the text so far stays.
   *
   * @returns whether the device is still at it; `null`: not known.
   */
  async cancel(): Promise<boolean | null> {
    this.stop();
    const under = this.#items.filter((item) => !hasEnded(item));
    const outcomes = await Promise.all(under.map(({ id }) => this.#completions.cancel(id)));
    if (outcomes.some(({ deviceBusy }) => deviceBusy === true)) return true;
    return outcomes.some(({ deviceBusy }) => deviceBusy === null) ? null : false;
  }

  #enlist(entry: BatchEntry, index: number): Item {
    const id = this.#completions.enlist(entry, {
      batchId: this.id,
      turn: this.#feeder.turnOf(index),
      onEvent: (event) => this.#note(index, event),
    });
    return {
      index,
      id,
      status: "queued",
      isTaken: false,
      length: 0,
      createdAt: this.#completions.get(id).createdAt,
      endedAt: null,
    };
  }

  #note(index: number, event: RunEvent): void {
    if (event.type === "text" || event.type === "reasoning" || event.type === "completed") {
      this.#feeder.serviceAnswers(index);
      return;
    }
    if (event.type === "status") {
      this.#feeder.metService();
      // How many places there are may be known only now.
      this.#feeder.feed();
    }
    const item = this.#items[index];
    if (event.type === "ended" && item !== undefined) this.#end(item);
    if (event.type === "status" || event.type === "ended") this.#tell();
  }

  #end(item: Item): void {
    const state = this.#completions.get(item.id);
    item.status = state.status;
    item.endedAt = state.endedAt;
    item.length = lengthOf(state);
    this.#touchedAt = this.#now();
    const code = state.error?.code ?? "";
    if (DIED.has(code)) this.#feeder.metService();
    else if (!SAY_NOTHING.has(code)) this.#feeder.serviceAnswers(item.index);
    this.#feeder.left(item.index);
    if (this.#onResult === undefined) return;
    this.take(item.index);
    this.#onResult({ index: item.index, state });
  }

  #stateOf({ id, status, createdAt, endedAt }: Item): CompletionState {
    try {
      return this.#completions.get(id);
    } catch (thrown) {
      const error = toFoundryError(thrown);
      const nothing = { ...refusedCompletion(id, error).snapshot(), place: null, etaMs: null };
      return { ...nothing, status, error, news: null, batchId: this.id, createdAt, endedAt };
    }
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

const NONE: Readonly<Record<CompletionStatus, number>> = {
  queued: 0,
  loading: 0,
  running: 0,
  completed: 0,
  interrupted: 0,
  cancelled: 0,
  failed: 0,
};

/** How much of a reader's time a result takes. */
export const lengthOf = ({ text, error }: CompletionState): number =>
  text.length + (error === null ? 0 : error.message.length + error.action.length);
