import type { CompletionStatus } from "../foundry/index.js";
import {
  deferred,
  type FoundryError,
  LONGEST_REASONING,
  type Trace,
  throwIfAborted,
  toFoundryError,
  waitFor,
} from "../lib/index.js";
import { type BatchItem, BatchItems, type BatchPace, type EndedItem } from "./batch-items.js";
import type { AdoptOptions, BatchEntry } from "./completion-options.js";
import type { CompletionState, RunEvent } from "./completion-run.js";
import { refusedCompletion } from "./completion-stream.js";
import type { Completions } from "./completions.js";
import { Listeners } from "./listeners.js";

/** An item that has ended. `index` counts from 0, in the order of the input. */
export interface BatchResult {
  readonly index: number;
  readonly state: CompletionState;
}

/** An item as another process needs it to go on. */
export interface BatchRecordItem {
  readonly id: string;
  readonly status: CompletionStatus;
  readonly isTaken: boolean;
}

/** An item of a batch that another process began. */
export interface AdoptedItem extends Pick<BatchRecordItem, "id" | "status"> {
  /** `null`: its result has been taken. */
  readonly completion: Pick<AdoptOptions, "open" | "createdAt"> | null;
}

/** What a batch is made of: what it begins itself, or the items of a batch that another process began. */
export type BatchContent =
  | { readonly entries: readonly BatchEntry[] }
  | { readonly adopted: readonly AdoptedItem[] };

interface BatchParts {
  readonly id: string;
  /** Equal for identical batches. */
  readonly key: string;
  readonly content: BatchContent;
  readonly completions: Completions;
  readonly pace: BatchPace;
  /** Takes each result as it comes. Default: they are kept until {@link Batch.take}. */
  readonly onResult?: ((result: BatchResult) => void) | undefined;
  /** Of the call that began it. */
  readonly trace?: Trace | undefined;
}

/**
 * Completions that were requested together. Each is a completion of its own in the queue. The batch
 * keeps the results until they are taken.
 */
export class Batch {
  readonly id: string;
  readonly key: string;
  readonly #completions: Completions;
  readonly #onResult: BatchParts["onResult"];
  readonly #listeners = new Listeners<[]>();
  readonly #items: BatchItems;
  #isDetached = false;
  #waits = 0;
  /** How often a call has waited for it. */
  #asked = 0;
  /** When it last changed or was read, by a monotonic clock. */
  touchedAt = performance.now();

  constructor(parts: BatchParts) {
    const { id, key, content, completions, pace, onResult, trace } = parts;
    this.id = id;
    this.key = key;
    this.#completions = completions;
    this.#items = new BatchItems(pace);
    this.#onResult = onResult;
    if ("adopted" in content) for (const item of content.adopted) this.#adopt(item);
    else for (const entry of content.entries) this.#enlist(entry, trace);
  }

  /** Whether the host's call ended while the batch went on. The next identical call continues a detached batch. */
  get isDetached(): boolean {
    return this.#isDetached;
  }

  /** Returns whether a call has asked for it since. */
  detach(): () => boolean {
    this.#isDetached = true;
    const asked = this.#asked;
    return () => this.#asked !== asked;
  }

  attach(): void {
    this.#isDetached = false;
    this.#asked += 1;
  }

  get size(): number {
    return this.#items.all.length;
  }

  get hasEnded(): boolean {
    return this.done === this.size;
  }

  /** How many items have ended, whether they succeeded or not. */
  get done(): number {
    return this.#items.count("ended");
  }

  /** Whether a call waits for it. */
  get isWatched(): boolean {
    return this.#waits > 0;
  }

  /** Characters of all results that have not been taken yet. */
  get readyLength(): number {
    return this.#items.all.reduce(
      (sum, { state }) => sum + (state.is === "ended" && !state.isTaken ? state.length : 0),
      0,
    );
  }

  /** Why the batch waits for its service; `null` if it does not. */
  get outage(): FoundryError | null {
    return this.#items.outage;
  }

  /** Ids of the completions whose result has not been taken, in the order of the input. */
  get pending(): string[] {
    return this.#items.all
      .filter(({ state }) => state.is !== "ended" || !state.isTaken)
      .map(({ id }) => id);
  }

  /** How many items have which status. */
  counts(): Record<CompletionStatus, number> {
    const counts = { ...NONE };
    for (const { status } of this.record) counts[status] += 1;
    return counts;
  }

  /** All items, as another process needs them to go on. */
  get record(): BatchRecordItem[] {
    return this.#items.all.map(({ id, state }) =>
      // An ended completion may have been evicted.
      state.is === "ended"
        ? { id, status: state.status, isTaken: state.isTaken }
        : { id, status: this.#completions.get(id).status, isTaken: false },
    );
  }

  /** Results that have not been taken yet, in the order of the input. */
  *ready(): Generator<BatchResult> {
    for (const item of this.#items.all) {
      const { index, state } = item;
      if (state.is === "ended" && !state.isTaken) {
        yield { index, state: this.#stateOf(item, state) };
      }
    }
  }

  /** It is returned once; {@link returned} or {@link giveBack} follows. */
  take(index: number): void {
    const item = this.#items.all[index];
    if (item?.state.is !== "ended") return;
    item.state = { ...item.state, isTaken: true };
    this.touchedAt = performance.now();
  }

  /** A result that was taken did not reach its caller. */
  giveBack(index: number): void {
    const item = this.#items.all[index];
    if (item?.state.is === "ended") item.state = { ...item.state, isTaken: false };
  }

  /** A result that was taken has reached its caller: the limits on kept completions apply to it. */
  returned(index: number): void {
    const item = this.#items.all[index];
    if (item !== undefined) this.#completions.unpin(item.id);
  }

  /**
   * Waits until all items have ended, or there is enough.
   *
   * @throws FoundryError `CANCELLED` for the waiting.
   */
  async wait(options: {
    readonly withinMs: number;
    readonly signal: AbortSignal;
    readonly isEnough: () => boolean;
  }): Promise<void> {
    const { withinMs, signal, isEnough } = options;
    throwIfAborted(signal);
    this.touchedAt = performance.now();
    const isOver = (): boolean => this.hasEnded || isEnough();
    if (withinMs === 0 || isOver()) return;
    const over = deferred();
    const unsubscribe = this.onChange(() => isOver() && over.resolve());
    this.#waits += 1;
    try {
      await waitFor(over.promise, { withinMs, signal });
    } finally {
      this.#waits -= 1;
      unsubscribe();
      this.touchedAt = performance.now();
    }
  }

  /** Calls the listener when an item begins or ends. Returns the function that removes it. */
  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /**
   * Stops the items that have not ended; their text so far stays.
   *
   * @returns whether the device is still busy; `null`: not known.
   */
  async cancel(): Promise<boolean | null> {
    const running = this.#items.all.filter(({ state }) => state.is !== "ended");
    const outcomes = await Promise.all(running.map(({ id }) => this.#completions.cancel(id)));
    if (outcomes.some(({ deviceBusy }) => deviceBusy === true)) return true;
    return outcomes.some(({ deviceBusy }) => deviceBusy === null) ? null : false;
  }

  #enlist(entry: BatchEntry, trace: Trace | undefined): void {
    const id = this.#completions.ids.next("completion");
    const item = this.#items.add(id);
    const gate = this.#items.gateOf(item);
    const onEvent = (event: RunEvent): void => this.#onEvent(item, event);
    this.#completions.enlist(entry, { id, batchId: this.id, gate, onEvent, trace });
  }

  #adopt({ id, status, completion }: AdoptedItem): void {
    const item = this.#items.add(id);
    if (completion === null) {
      item.state = { is: "ended", status, endedAt: null, length: 0, isTaken: true };
      return;
    }
    const onEvent = (event: RunEvent): void => this.#onEvent(item, event);
    this.#completions.adopt({ ...completion, id, batchId: this.id, key: null, onEvent });
  }

  #onEvent(item: BatchItem, { type }: RunEvent): void {
    if (type === "text" || type === "reasoning" || type === "completed") {
      this.#items.noteService(item);
    }
    if (type === "ended") this.#end(item);
    if (type === "status") this.#items.met();
    if (type === "status" || type === "ended") this.#listeners.notify();
  }

  #end(item: BatchItem): void {
    const state = this.#completions.get(item.id);
    const { status, endedAt, error } = state;
    const length = lengthOf(state);
    this.touchedAt = performance.now();
    const ended = { is: "ended", status, endedAt, length, isTaken: false } as const;
    this.#items.end(item, ended, error?.code ?? null);
    if (this.#onResult === undefined) return;
    this.take(item.index);
    this.returned(item.index);
    this.#onResult({ index: item.index, state });
  }

  #stateOf({ id, createdAt }: BatchItem, { status, endedAt }: EndedItem): CompletionState {
    try {
      return this.#completions.get(id);
    } catch (thrown) {
      const error = toFoundryError(thrown);
      const none = { place: null, etaMs: null, news: null };
      const nothing = { ...refusedCompletion(id, error).snapshot(), ...none };
      return { ...nothing, status, error, batchId: this.id, createdAt, endedAt };
    }
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

/** Characters of a result, with the thinking and the calls of tools as far as a result has them. */
export const lengthOf = ({ text, reasoning, toolCalls, error }: CompletionState): number =>
  text.length +
  Math.min(reasoning?.length ?? 0, LONGEST_REASONING) +
  // In the text and in the structured result.
  (toolCalls === undefined ? 0 : 2 * JSON.stringify(toolCalls).length) +
  (error === null ? 0 : error.message.length + error.action.length);
