import type { CompletionRequest } from "../foundry/index.js";
import { type FoundryClient, hasEnded } from "../jobs/index.js";
import { FoundryError, MOST_HELD, MOST_HELD_CHARACTERS, toFoundryError } from "../lib/index.js";
import type {
  Found,
  HeldBatch,
  Patch,
  RequestMessage,
  Search,
  SettingsSource,
  WireState,
} from "./messages.js";
import { continued, fromWire, interrupted, patched, sizeOf, toWire } from "./states.js";

/** A process whose work is held. */
export interface Owner {
  /** Asks it to stop a completion that it runs. */
  stop(id: string): void;
}

/** A completion: its process runs it, the keeper runs it after that process, or it has ended. */
interface Entry {
  readonly key: string | null;
  readonly settings: SettingsSource;
  readonly keptMs: number;
  /** The process that runs it, until that ends. */
  owner: Owner | null;
  /** Until its end. */
  request: CompletionRequest | null;
  state: WireState;
  /** The generation of the keeper. */
  again: {
    readonly client: FoundryClient;
    readonly id: string;
    readonly earlier: WireState;
  } | null;
  /** Whether another answer took the place of the earlier one, and whether its reader knows that. */
  regenerated: "no" | "unseen" | "seen";
  /** By the clock of the keeper. */
  endedAt: number | null;
}

interface Group extends HeldBatch {
  readonly settings: SettingsSource;
  owner: Owner | null;
}

interface HeldOptions {
  /** A new client is given to {@link HeldCompletions.follow}. */
  readonly clientOf: (settings: SettingsSource) => FoundryClient;
  readonly now: () => number;
  /** Called with the ids of completions that changed. */
  readonly onChange: (ids: readonly string[]) => void;
}

type Keep = Extract<RequestMessage, { do: "keep" }>;

/** Changes within this interval are merged. */
const UPDATE_MS = 100;

/** The completions and batches that the keeper holds. */
export class HeldCompletions {
  readonly #options: HeldOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #batches = new Map<string, Group>();
  /** By the ids that the clients of the keeper gave them. */
  readonly #again = new Map<string, Entry>();
  readonly #dirty = new Set<string>();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: HeldOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Takes over what changes in the completions of a client. */
  follow({ completions }: FoundryClient): void {
    completions.onChange((id, what) => {
      if (what === "ended") this.#update(id);
      else this.#updateSoon(id);
    });
  }

  /** @returns whether there was room. */
  keep({ settings, keptMs, completions, batches }: Keep, owner: Owner): boolean {
    const added = completions.filter(({ state }) => !this.#entries.has(state.id));
    if (this.size + added.length > MOST_HELD) return false;
    const characters = added.reduce((sum, each) => sum + sizeOf(each.state, each.request), 0);
    if (this.#characters() + characters > MOST_HELD_CHARACTERS) return false;
    for (const batch of batches) this.#keepBatch(batch, settings, owner);
    // After the batches: the rest of a result that was returned in part is promised for itself.
    for (const { state, key, request } of completions) {
      const own = { key, settings, keptMs, owner, request, state, again: null, endedAt: null };
      const entry = this.#entries.get(state.id) ?? { ...own, regenerated: "no" };
      this.#entries.set(state.id, entry);
      if (entry.owner === owner) this.#set(entry, state);
    }
    return true;
  }

  patch(patches: readonly Patch[], owner: Owner): void {
    for (const patch of patches) {
      const entry = this.#entries.get(patch.id);
      if (entry?.owner === owner) this.#set(entry, patched(patch, entry.state));
    }
    this.#options.onChange(patches.map(({ id }) => id));
  }

  release(completions: readonly string[], batches: readonly string[]): void {
    // A result that its batch has not returned yet is still promised by the batch.
    for (const id of completions) if (!this.#isPending(id)) this.#drop(id);
    for (const id of batches) {
      // A result that was returned in part is promised for itself.
      for (const item of this.#batches.get(id)?.items ?? []) if (!item.isTaken) this.#drop(item.id);
      this.#batches.delete(id);
    }
  }

  seen(completions: readonly string[]): void {
    for (const id of completions) {
      const entry = this.#entries.get(id);
      if (entry?.regenerated === "unseen") entry.regenerated = "seen";
    }
  }

  /** A completion that is part of a batch is found with all of the batch. */
  find({ ids, batch, same }: Search): Found {
    const found = new Set(ids.filter((id) => this.#entries.has(id)));
    const batches = new Set<string>();
    if (batch !== null) batches.add(batch);
    if (same !== null) {
      const id = this.#sameAs(same);
      if (id !== null) (same.kind === "batch" ? batches : found).add(id);
    }
    for (const id of found) {
      const of = this.#entries.get(id)?.state.batchId ?? null;
      if (of !== null) batches.add(of);
    }
    const groups = [...batches].flatMap((id) => this.#batches.get(id) ?? []);
    for (const { items } of groups) for (const { id } of items) found.add(id);
    return {
      completions: [...found].flatMap((id) => this.foundOne(id) ?? []),
      batches: groups.map(({ id, key, items }) => ({ id, key, items })),
    };
  }

  foundOne(id: string): Found["completions"][number] | null {
    const entry = this.#entries.get(id);
    if (entry === undefined) return null;
    const { state, key, regenerated } = entry;
    return { state, key, isRegenerated: regenerated === "unseen" };
  }

  cancel(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || hasEnded(entry.state)) return;
    if (entry.again === null) entry.owner?.stop(id);
    else void entry.again.client.completions.cancel(entry.again.id).catch(() => {});
  }

  /** The process has ended: the keeper goes on with its work. */
  takeOver(owner: Owner): void {
    for (const group of this.#batches.values()) {
      if (group.owner !== owner) continue;
      group.owner = null;
      const open = group.items
        .flatMap(({ id }) => this.#entries.get(id) ?? [])
        .filter((each) => each.owner === owner && each.request !== null && !hasEnded(each.state));
      if (open.length > 0) this.#startBatch(open, group.settings);
    }
    for (const entry of this.#entries.values()) {
      if (entry.owner !== owner) continue;
      entry.owner = null;
      if (entry.again === null && !hasEnded(entry.state)) this.#start(entry);
    }
  }

  /** Drops what has been kept for long enough, and the oldest of what has ended where it is too much. */
  prune(): void {
    const isFresh = ({ endedAt, keptMs }: Entry): boolean =>
      endedAt === null || this.#options.now() - endedAt <= keptMs;
    // The results of a batch are read together, so they stay while one of them is fresh.
    const groupOf = ({ state }: Entry): string => state.batchId ?? state.id;
    const fresh = new Set([...this.#entries.values()].filter(isFresh).map(groupOf));
    let characters = this.#characters();
    for (const [id, entry] of this.#entries) {
      const isTooMuch = entry.endedAt !== null && characters > MOST_HELD_CHARACTERS;
      if (fresh.has(groupOf(entry)) && !isTooMuch) continue;
      this.#drop(id);
      characters -= sizeOf(entry.state, null);
    }
    for (const [id, { items }] of this.#batches) {
      if (!items.some((item) => this.#entries.has(item.id))) this.#batches.delete(id);
    }
  }

  #isPending(id: string): boolean {
    const batch = this.#batches.get(this.#entries.get(id)?.state.batchId ?? "");
    return batch?.items.some((item) => item.id === id && !item.isTaken) === true;
  }

  #keepBatch(batch: HeldBatch, settings: SettingsSource, owner: Owner): void {
    const known = this.#batches.get(batch.id);
    this.#batches.set(batch.id, {
      ...batch,
      settings,
      owner: known === undefined ? owner : known.owner,
    });
    const before = new Set(known?.items.filter(({ isTaken }) => isTaken).map(({ id }) => id));
    const taken = batch.items.filter(({ id, isTaken }) => isTaken && !before.has(id));
    for (const { id } of taken) this.#drop(id);
  }

  /** Its reader needs it no longer: its generation stops. */
  #drop(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    // Other processes that follow it get nothing after this.
    if (!hasEnded(entry.state)) this.#fail(entry, interrupted("Another call ended this answer."));
    const { again } = entry;
    this.#entries.delete(id);
    if (again === null) return;
    this.#again.delete(again.id);
    void again.client.completions.cancel(again.id).catch(() => {});
  }

  #set(entry: Entry, state: WireState): void {
    entry.state = state;
    if (!hasEnded(state)) return;
    entry.endedAt ??= this.#options.now();
    // The prompt may be much larger than the answer.
    entry.request = null;
  }

  /** An identical completion or batch that no process runs. */
  #sameAs({ kind, key, settings }: NonNullable<Search["same"]>): string | null {
    const own = settingsKey(settings);
    const isSame = (each: Group | Entry): boolean =>
      each.key === key && each.owner === null && settingsKey(each.settings) === own;
    if (kind === "batch") return [...this.#batches.values()].find(isSame)?.id ?? null;
    const found = [...this.#entries.values()].find(
      (entry) => isSame(entry) && (!hasEnded(entry.state) || entry.state.status === "completed"),
    );
    return found?.state.id ?? null;
  }

  #start(entry: Entry): void {
    try {
      const request = requestAgain(entry);
      if (request instanceof FoundryError) throw request;
      const client = this.#options.clientOf(entry.settings);
      // It was promised: the queues of its processes together may be longer than that of the keeper.
      const own = { join: false, goesOn: true };
      const { state } = client.completions.begin(request, own);
      this.#follow(entry, client, state.id);
    } catch (thrown) {
      this.#fail(entry, toFoundryError(thrown));
    }
  }

  #startBatch(entries: readonly Entry[], settings: SettingsSource): void {
    try {
      const client = this.#options.clientOf(settings);
      const { pending } = client.batches.start(entries.map(requestAgain), { goesOn: true });
      for (const [index, again] of pending.entries()) {
        const entry = entries[index];
        if (entry !== undefined) this.#follow(entry, client, again);
      }
    } catch (thrown) {
      for (const entry of entries) this.#fail(entry, toFoundryError(thrown));
    }
  }

  #follow(entry: Entry, client: FoundryClient, again: string): void {
    entry.again = { client, id: again, earlier: entry.state };
    this.#again.set(again, entry);
    this.#update(again);
  }

  #fail(entry: Entry, error: FoundryError): void {
    const { state } = entry;
    const endedAt = Date.now();
    this.#set(entry, toWire({ ...fromWire(state), status: "interrupted", error, endedAt }));
    this.#options.onChange([state.id]);
  }

  #updateSoon(again: string): void {
    if (!this.#again.has(again)) return;
    this.#dirty.add(again);
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      for (const each of this.#dirty) this.#update(each);
      this.#dirty.clear();
    }, UPDATE_MS);
  }

  /** A completion of the keeper's own has changed. */
  #update(again: string): void {
    const entry = this.#again.get(again);
    if (entry?.again == null) return;
    const { client, earlier } = entry.again;
    const { state, isRegenerated } = continued(earlier, toWire(client.completions.get(again)));
    if (isRegenerated && entry.regenerated === "no") entry.regenerated = "unseen";
    this.#set(entry, state);
    if (hasEnded(state)) {
      entry.again = null;
      this.#again.delete(again);
    }
    this.#options.onChange([state.id]);
  }

  #characters(): number {
    return [...this.#entries.values()].reduce(
      (sum, { state, request }) => sum + sizeOf(state, request),
      0,
    );
  }
}

function requestAgain({ request, state }: Entry): CompletionRequest | FoundryError {
  if (request === null) return interrupted("The process that generated this answer ended.");
  // Without a model in the request, the default may be another one by now.
  return request.model === undefined && state.model !== null
    ? { ...request, model: state.model }
    : request;
}

/** Equal for settings that are the same. */
export const settingsKey = (settings: SettingsSource): string =>
  JSON.stringify(Object.entries(settings).sort());
