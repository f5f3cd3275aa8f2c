import { type Batch, type FoundryClient, hasEnded, loadKey } from "../jobs/index.js";
import { MOST_HELD_CHARACTERS } from "../lib/index.js";
import type { HeldCompletion, HeldLoad, Patch, WireState } from "./messages.js";
import { patchOf, sizeOf, toWire } from "./states.js";

/** Changes within this interval are merged. */
const UPDATE_MS = 200;

/** What this process promised, and what the keeper knows of it. */
export class Promises {
  readonly #client: FoundryClient;
  readonly #isRemote: (id: string) => boolean;
  readonly #sendPatches: (patches: Patch[]) => void;
  /** With the state that the keeper has; `null`: none. */
  readonly #completions = new Map<string, WireState | null>();
  readonly #batches = new Map<string, Batch>();
  readonly #loads = new Map<string, HeldLoad>();
  /** Of the last message: a batch, or `null` for a completion. What has been delivered since is not among them. */
  readonly #lastSent = new Map<string, Batch | null>();
  readonly #changed = new Set<string>();
  readonly #unlisten: () => void;
  #timer: NodeJS.Timeout | null = null;

  /** @param isRemote Whether the keeper or another process runs a completion. */
  constructor(
    client: FoundryClient,
    isRemote: (id: string) => boolean,
    sendPatches: (patches: Patch[]) => void,
  ) {
    this.#client = client;
    this.#isRemote = isRemote;
    this.#sendPatches = sendPatches;
    this.#unlisten = client.completions.onChange((id, what) => {
      if (!this.#completions.has(id)) return;
      if (what === "gone") {
        this.delete(id);
        return;
      }
      this.#changed.add(id);
      if (what === "ended") this.#flush();
      else this.#timer ??= setTimeout(() => this.#flush(), UPDATE_MS).unref();
    });
  }

  /** Whether anything that was promised has not ended, or the keeper does not know it. */
  get isOpen(): boolean {
    const isOpen = [...this.#completions].some(
      ([id, sent]) => sent === null || this.#isRunning(id),
    );
    return isOpen || this.#batches.size > 0 || this.#loads.size > 0;
  }

  add(id: string): void {
    if (!this.#isRemote(id) && !this.#completions.has(id)) this.#completions.set(id, null);
  }

  delete(id: string): void {
    this.#completions.delete(id);
    this.#lastSent.delete(id);
  }

  addBatch(batch: Batch): void {
    this.#batches.set(batch.id, batch);
    for (const { id, isTaken } of batch.record) {
      if (isTaken) this.delete(id);
      else this.add(id);
    }
  }

  deleteBatch(batch: Batch): void {
    for (const { id } of batch.record) this.delete(id);
    this.#batches.delete(batch.id);
    this.#lastSent.delete(batch.id);
  }

  /** @returns whether it was not there. */
  addLoad(load: HeldLoad): boolean {
    const { size } = this.#loads;
    return this.#loads.set(loadKey(load.model, load.wish), load).size > size;
  }

  deleteLoad(load: HeldLoad): void {
    this.#loads.delete(loadKey(load.model, load.wish));
  }

  /**
   * What the keeper does not know. It counts as known from now on. `isTooMuch`: a batch or a completion is left
   * out, since it exceeds what the keeper holds. Requests share an image in memory, and each has its own copy in a
   * message, so that 40 of them could break the connection.
   */
  unsent() {
    this.#flush();
    const completions: HeldCompletion[] = [];
    const tooLarge = new Set<string>();
    let room = MOST_HELD_CHARACTERS;
    for (const [id, sent] of this.#completions) {
      const record = this.#client.completions.recordOf(id);
      if (record === null) this.#completions.delete(id);
      if (record === null || sent !== null) continue;
      const state = toWire(record.state);
      const group = state.batchId ?? id;
      if (tooLarge.has(group)) continue;
      const size = sizeOf(state, record.request);
      if (size > room) {
        tooLarge.add(group);
        continue;
      }
      room -= size;
      completions.push({ state, key: record.key, request: record.request });
    }
    for (const group of tooLarge) this.#drop(group);
    const kept = completions.filter(({ state }) => this.#completions.has(state.id));
    for (const { state } of kept) this.#completions.set(state.id, state);
    this.#lastSent.clear();
    for (const [id, batch] of this.#batches) this.#lastSent.set(id, batch);
    for (const { state } of kept) this.#lastSent.set(state.id, null);
    const batches = [...this.#batches.values()].map(({ id, key, record: items }) => {
      return { id, key, items };
    });
    const loads = [...this.#loads.values()];
    return { completions: kept, batches, loads, isTooMuch: tooLarge.size > 0 };
  }

  /** The keeper ended before its reply to the last message. What has ended is forgotten with the connection. */
  unsend(): void {
    for (const [id, batch] of [...this.#lastSent]) {
      if (batch === null) this.add(id);
      else this.addBatch(batch);
    }
  }

  /** Drops a completion, or a batch with its completions: it ends with this process. */
  #drop(group: string): void {
    const batch = this.#batches.get(group);
    if (batch === undefined) this.#completions.delete(group);
    else this.deleteBatch(batch);
  }

  /** The keeper has ended. What it would have delivered for an ended completion, this process does. */
  forgetSent(): void {
    for (const id of [...this.#completions.keys()]) {
      if (this.#isRunning(id)) this.#completions.set(id, null);
      else this.#completions.delete(id);
    }
    for (const [id, batch] of [...this.#batches]) {
      if (batch.hasEnded) this.#batches.delete(id);
      // Its ended results, too: it goes on with the next keeper.
      else for (const pending of batch.pending) this.add(pending);
    }
  }

  close(): void {
    this.#unlisten();
    this.#flush();
  }

  #isRunning(id: string): boolean {
    const state = this.#client.completions.recordOf(id)?.state;
    return state !== undefined && !hasEnded(state);
  }

  #flush(): void {
    clearTimeout(this.#timer ?? undefined);
    this.#timer = null;
    const patches: Patch[] = [];
    for (const id of this.#changed) {
      const before = this.#completions.get(id) ?? null;
      const record = this.#client.completions.recordOf(id);
      if (before === null || record === null) continue;
      const state = toWire(record.state);
      this.#completions.set(id, state);
      patches.push(patchOf(state, before));
    }
    this.#changed.clear();
    if (patches.length > 0) this.#sendPatches(patches);
  }
}
