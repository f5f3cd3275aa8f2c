import { type Batch, type FoundryClient, hasEnded } from "../jobs/index.js";
import { MOST_HELD_CHARACTERS } from "../lib/index.js";
import { sizeOf } from "./held.js";
import type { HeldBatch, HeldCompletion, HeldLoad } from "./messages.js";
import { type Patch, patchOf, toWire, type WireState } from "./states.js";

/** Changes within this interval are merged. */
const UPDATE_MS = 200;

/** What a message to the keeper has. */
interface Unsent {
  readonly completions: HeldCompletion[];
  readonly batches: HeldBatch[];
  readonly loads: HeldLoad[];
  /**
   * The completions that are missing exceed what the keeper holds. Requests share an image in memory, and
   * each has its own copy in a message, so that 40 of them could break the connection.
   */
  readonly isTooMuch: boolean;
}

/** What this process promised, and what the keeper knows of it. */
export class Promises {
  readonly #client: FoundryClient;
  readonly #isRemote: (id: string) => boolean;
  readonly #sendPatches: (patches: Patch[]) => void;
  /** With the state that the keeper has; `null`: none. */
  readonly #completions = new Map<string, WireState | null>();
  readonly #batches = new Map<string, Batch>();
  readonly #loads = new Map<string, HeldLoad>();
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
      if (what === "gone") this.#completions.delete(id);
      else this.#note(id, what === "ended" ? 0 : UPDATE_MS);
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

  delete(id: string): boolean {
    return this.#completions.delete(id);
  }

  addBatch(batch: Batch): void {
    this.#batches.set(batch.id, batch);
    for (const { id, isTaken } of batch.record) {
      if (isTaken) this.#completions.delete(id);
      else this.add(id);
    }
  }

  deleteBatch(batch: Batch): void {
    for (const { id } of batch.record) this.#completions.delete(id);
    this.#batches.delete(batch.id);
  }

  /** @returns whether it was not there. */
  addLoad(load: HeldLoad): boolean {
    const { size } = this.#loads;
    return this.#loads.set(keyOf(load), load).size > size;
  }

  deleteLoad(load: HeldLoad): void {
    this.#loads.delete(keyOf(load));
  }

  /** What the keeper does not know. It counts as known from now on. */
  unsent(): Unsent {
    const completions: HeldCompletion[] = [];
    let characters = 0;
    for (const [id, sent] of this.#completions) {
      const record = this.#client.completions.recordOf(id);
      if (record === null) this.#completions.delete(id);
      if (record === null || sent !== null) continue;
      const state = toWire(record.state);
      characters += sizeOf(state, record.request);
      if (characters > MOST_HELD_CHARACTERS) break;
      this.#completions.set(id, state);
      completions.push({ state, key: record.key, request: record.request });
    }
    const isTooMuch = characters > MOST_HELD_CHARACTERS;
    if (isTooMuch) this.#dropUnsent(completions);
    this.#flush();
    const batches = [...this.#batches.values()].map(({ id, key, record }) => ({
      id,
      key,
      items: record,
    }));
    const loads = [...this.#loads.values()];
    return { completions: isTooMuch ? [] : completions, batches, loads, isTooMuch };
  }

  /** Drops what is unsent, with its batches: it ends with this process. */
  #dropUnsent(begun: readonly HeldCompletion[]): void {
    const ids = new Set(begun.map(({ state }) => state.id));
    for (const [id, sent] of this.#completions) if (sent === null) ids.add(id);
    for (const id of ids) this.#completions.delete(id);
    for (const [id, { record }] of this.#batches) {
      if (record.some((item) => ids.has(item.id))) this.#batches.delete(id);
    }
  }

  /** The keeper has ended. What it would have delivered for an ended completion, this process does. */
  forgetSent(): void {
    for (const id of [...this.#completions.keys()]) {
      if (this.#isRunning(id)) this.#completions.set(id, null);
      else this.#completions.delete(id);
    }
    for (const [id, { hasEnded: isOver }] of this.#batches) if (isOver) this.#batches.delete(id);
  }

  close(): void {
    this.#unlisten();
    this.#flush();
  }

  #isRunning(id: string): boolean {
    const state = this.#client.completions.recordOf(id)?.state;
    return state !== undefined && !hasEnded(state);
  }

  #note(id: string, withinMs: number): void {
    this.#changed.add(id);
    if (withinMs === 0) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), withinMs).unref();
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

const keyOf = ({ model, wish }: HeldLoad): string =>
  JSON.stringify([model, wish.device, wish.download, wish.force, wish.idleSeconds]);
