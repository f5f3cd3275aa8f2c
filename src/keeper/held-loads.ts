import { type FoundryClient, type LoadRun, type LoadState, loadKey } from "../jobs/index.js";
import { type Owner, settingsKey } from "./held.js";
import type { HeldLoad, SettingsSource } from "./messages.js";

interface Entry {
  readonly load: HeldLoad;
  readonly settings: SettingsSource;
  /** The process that runs it, until that ends. */
  owner: Owner | null;
  /** The keeper's, after that. */
  run: { readonly client: FoundryClient; readonly load: LoadRun } | null;
  /** By the clock of the keeper. */
  failedAt: number | null;
}

interface HeldLoadsOptions {
  readonly clientOf: (settings: SettingsSource) => FoundryClient;
  readonly now: () => number;
}

/** How long a failure waits for the call that repeats the load, in milliseconds. */
const KEPT_MS = 10 * 60_000;

/** The loads and downloads that the keeper holds. A success is seen in the service, and is not held. */
export class HeldLoads {
  readonly #options: HeldLoadsOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: HeldLoadsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  keep(loads: readonly HeldLoad[], settings: SettingsSource, owner: Owner): void {
    for (const load of loads) {
      const key = keyOf(load, settings);
      if (this.#entries.has(key)) continue;
      this.#entries.set(key, { load, settings, owner, run: null, failedAt: null });
    }
  }

  release(loads: readonly HeldLoad[], owner: Owner): void {
    for (const [key, entry] of this.#entries) {
      const isMeant = loads.some((load) => keyOf(load, entry.settings) === key);
      if (isMeant && entry.owner === owner) this.#entries.delete(key);
    }
  }

  /** The process has ended: the keeper goes on with its loads. */
  takeOver(owner: Owner): void {
    for (const [key, entry] of this.#entries) {
      if (entry.owner !== owner) continue;
      entry.owner = null;
      try {
        this.#start(key, entry);
      } catch {
        // Settings of another version of this package may be refused.
        this.#entries.delete(key);
      }
    }
  }

  #start(key: string, entry: Entry): void {
    const client = this.#options.clientOf(entry.settings);
    const { model, wish } = entry.load;
    const load = client.loads.start(model, wish);
    entry.run = { client, load };
    void load.ended.then(() => {
      if (load.state().status === "failed") entry.failedAt = this.#options.now();
      else this.#entries.delete(key);
    });
  }

  /** `null`: the keeper does not run this load. */
  async wait(
    load: HeldLoad,
    settings: SettingsSource,
    withinMs: number,
  ): Promise<LoadState | null> {
    const key = keyOf(load, settings);
    const run = this.#entries.get(key)?.run ?? null;
    if (run === null) return null;
    const state = await run.client.loads.wait(run.load, { withinMs });
    // A failure is reported once.
    if (state.status === "failed") this.#entries.delete(key);
    return state;
  }

  /** Drops what has been kept for long enough. */
  prune(): void {
    for (const [key, { failedAt }] of this.#entries) {
      if (failedAt !== null && this.#options.now() - failedAt > KEPT_MS) this.#entries.delete(key);
    }
  }
}

const keyOf = ({ model, wish }: HeldLoad, settings: SettingsSource): string =>
  JSON.stringify([loadKey(model, wish), settingsKey(settings)]);
