import { setImmediate, setTimeout } from "node:timers/promises";
import type { CompletionRequest } from "../foundry/index.js";
import {
  type AdoptedItem,
  type Batch,
  type FoundryClient,
  type LoadRun,
  type LoadState,
  type LoadWish,
  type OpenParts,
  requestKey,
} from "../jobs/index.js";
import { MOST_IDS_SOUGHT, TIMED_OUT, waitFor } from "../lib/index.js";
import type { Logger } from "../log.js";
import type { KeeperAddress } from "../platform/index.js";
import type { Answered, Kept, LoadWaiting } from "./kept.js";
import { Link } from "./link.js";
import {
  type Found,
  type FoundCompletion,
  foundSchema,
  type HeldBatch,
  type HeldLoad,
  keptSchema,
  loadReplySchema,
  type Patch,
  type Search,
  type SettingsSource,
} from "./messages.js";
import { Promises } from "./promises.js";
import { RemoteCompletion } from "./remote-completion.js";
import { loadStateFrom } from "./states.js";

interface KeepingOptions {
  readonly client: FoundryClient;
  readonly address: KeeperAddress;
  /** With which the keeper makes the same client. */
  readonly settings: SettingsSource;
  /** How long an ended completion is kept. Default: ten minutes. */
  readonly keptMs?: number | undefined;
  /** Starts a keeper, which can be connected to a moment later. Resolves when it has ended. */
  readonly start: () => Promise<void>;
  readonly log: Logger;
}

const KEPT_MS = 10 * 60_000;
/** The longest delay of an answer by the start of the keeper. */
const HANDOVER_MS = 5000;
const START_MS = 10_000;
const START_POLL_MS = 25;
const ANOTHER_MS = 500;
/** For this long after no keeper ran, no keeper is searched for identical requests. */
const ABSENT_MS = 100;
/** For this long, a keeper that cannot be used is not tried again. */
const PAUSE_MS = 60_000;
/** A keeper that has just ended is not there, or closes the connection: another one is started. */
const TRIES = 3;
const ASK_MS = 5000;
const CLOSE_MS = 1500;
const LOAD_POLL_MS = 1000;
/** The ids of completions and batches are shorter. */
const LONGEST_ID = 64;

/** What the server of this process has to do with the keeper. */
export class Keeping implements Kept {
  readonly #options: KeepingOptions;
  readonly #client: FoundryClient;
  readonly #promises: Promises;
  readonly #remote = new Map<string, RemoteCompletion>();
  readonly #regenerated = new Set<string>();
  #link: Link | null = null;
  #connecting: Promise<Link | null> | null = null;
  /** The last of the messages to the keeper, which are sent one after the other. */
  #sending: Promise<unknown> = Promise.resolve();
  #pausedUntil = 0;
  #absentUntil = 0;
  #isClosed = false;

  constructor(options: KeepingOptions) {
    this.#options = options;
    this.#client = options.client;
    this.#promises = new Promises(
      options.client,
      (id) => this.#remote.has(id),
      (patches) => this.#link?.send({ do: "patch", patches }),
    );
  }

  async find(ids: readonly string[]): Promise<void> {
    const unknown = ids.filter(
      (id) => id.length <= LONGEST_ID && this.#client.completions.recordOf(id) === null,
    );
    for (let at = 0; at < unknown.length; at += MOST_IDS_SOUGHT)
      await this.#find({ ids: unknown.slice(at, at + MOST_IDS_SOUGHT) });
  }

  async findSame(request: CompletionRequest): Promise<void> {
    // The search reads a file, in six steps of the thread pool.
    if (this.#link === null && performance.now() < this.#absentUntil) return;
    const key = requestKey(request);
    const { settings } = this.#options;
    if (key !== null) await this.#find({ same: { kind: "completion", key, settings } });
  }

  async findBatch(id: string): Promise<void> {
    if (id.length > LONGEST_ID || this.#client.batches.get(id) !== null) return;
    await this.#find({ batch: id });
  }

  findSameBatch(key: string): Promise<void> {
    return this.#find({ same: { kind: "batch", key, settings: this.#options.settings } });
  }

  async answered({ promised, delivered }: Answered): Promise<void> {
    for (const id of delivered) {
      this.#promises.delete(id);
      this.#remote.delete(id);
    }
    if (delivered.length > 0) this.#release({ completions: [...delivered] });
    for (const id of promised) this.#promises.add(id);
    if (promised.some((id) => !this.#remote.has(id))) await this.#handOver();
  }

  async answeredBatch(batch: Batch): Promise<void> {
    // The keeper drops them: one that is given back later is sent as a new one.
    for (const { id, isTaken } of batch.record) if (isTaken) this.#remote.delete(id);
    if (batch.pending.length === 0) {
      this.#promises.deleteBatch(batch);
      this.#release({ batches: [batch.id] });
      return;
    }
    this.#promises.addBatch(batch);
    await this.#handOver();
  }

  async load(model: string, wish: LoadWish, waiting: LoadWaiting): Promise<LoadState | null> {
    const { withinMs, signal, onState } = waiting;
    const end = performance.now() + withinMs;
    const { settings } = this.#options;
    let state: LoadState | null = null;
    while (!signal.aborted) {
      const left = Math.max(0, end - performance.now());
      const own = { settings, load: { model, wish }, withinMs: Math.min(left, LOAD_POLL_MS) };
      const asked = await this.#asked(async (link) => ({
        reply: await link.ask({ do: "load", ...own }, loadReplySchema),
      }));
      // Without the keeper nothing new is known of the load.
      if (asked === null) return state;
      // Also after other replies: a load that succeeds is held no longer, and is seen in the service.
      if (asked.reply === null) return null;
      state = loadStateFrom(asked.reply);
      const isOver = state.status !== "loading" && state.status !== "downloading";
      if (isOver || left <= LOAD_POLL_MS) return state;
      onState(state);
    }
    return state;
  }

  async answeredLoad(model: string, wish: LoadWish, run: LoadRun): Promise<void> {
    if (run.endedAt !== null) return;
    const load = { model, wish };
    if (this.#promises.addLoad(load)) {
      void run.ended.then(() => {
        this.#promises.deleteLoad(load);
        this.#release({ loads: [load] });
      });
    }
    await this.#handOver();
  }

  isRegenerated(id: string): boolean {
    return this.#regenerated.has(id);
  }

  answeredRegenerated(id: string): void {
    if (this.#regenerated.delete(id)) this.#link?.send({ do: "seen", completions: [id] });
  }

  async holds(): Promise<number | null> {
    return this.#asked((link) => link.holds());
  }

  async close(): Promise<void> {
    await waitFor(this.#sending, { withinMs: CLOSE_MS, ref: false });
    this.#isClosed = true;
    this.#promises.close();
    for (const remote of this.#remote.values()) remote.leave("closing");
    this.#link?.end();
    await waitFor(Promise.resolve(this.#link?.closed), { withinMs: CLOSE_MS, ref: false });
  }

  get #isPaused(): boolean {
    return performance.now() < this.#pausedUntil;
  }

  async #find({ ids = [], batch = null, same = null }: Partial<Search>): Promise<void> {
    const question = { do: "find", ids, batch, same } as const;
    await this.#asked((link) => link.ask(question, foundSchema, (found) => this.#adopt(found)));
    // After this turn the client knows what has ended.
    await setImmediate();
  }

  #adopt({ completions, batches }: Found): void {
    const byId = new Map(completions.map((each) => [each.state.id, each]));
    for (const batch of batches) this.#adoptBatch(batch, byId);
    for (const [id, found] of byId) {
      if (this.#client.completions.recordOf(id) !== null) continue;
      const own = { id, key: found.key, batchId: null };
      this.#client.completions.adopt({ ...own, ...this.#opened(found) });
    }
  }

  #adoptBatch({ id, key, items }: HeldBatch, byId: ReadonlyMap<string, FoundCompletion>): void {
    if (this.#client.batches.get(id) !== null) return;
    const adopted = items.map((item): AdoptedItem => {
      const found = item.isTaken ? undefined : byId.get(item.id);
      const completion = found === undefined ? null : this.#opened(found);
      return { id: item.id, status: item.status, completion };
    });
    this.#client.batches.adopt(id, key, adopted);
  }

  #opened({ state, isRegenerated }: FoundCompletion): NonNullable<AdoptedItem["completion"]> {
    const { id, createdAt } = state;
    if (isRegenerated) this.#regenerated.add(id);
    const cancel = (): void => this.#link?.send({ do: "cancel", completion: id });
    const open = (parts: OpenParts): RemoteCompletion => {
      const remote = new RemoteCompletion(state, parts, cancel);
      this.#remote.set(id, remote);
      return remote;
    };
    return { createdAt, open };
  }

  /** Resolves when the keeper has what is promised, or the answer must not wait any longer. */
  async #handOver(): Promise<void> {
    this.#sending = this.#sending.then(() => this.#send()).catch((why: unknown) => this.#warn(why));
    await waitFor(this.#sending, { withinMs: HANDOVER_MS, ref: false });
  }

  async #send(): Promise<void> {
    const { settings, keptMs = KEPT_MS, log } = this.#options;
    for (let tries = 1; !this.#isClosed && this.#promises.isOpen; tries += 1) {
      const link = await this.#linkOrStart();
      if (link === null) return;
      const { isTooMuch, ...parts } = this.#promises.unsent();
      try {
        const question = { do: "keep", settings, keptMs, ...parts } as const;
        const reply = await this.#replyOf(link, link.ask(question, keptSchema));
        if (isTooMuch || reply?.isKept === false)
          log.warn({}, "the keeper is full; this answer ends with its process");
        return;
      } catch (error) {
        this.#promises.unsend();
        if (tries === TRIES) throw error;
      }
    }
  }

  #release(what: { completions?: string[]; batches?: string[]; loads?: HeldLoad[] }): void {
    this.#link?.send({ do: "release", completions: [], batches: [], loads: [], ...what });
  }

  /** `null` where no keeper runs, and for everything that goes wrong. */
  async #asked<T>(ask: (link: Link) => Promise<T>): Promise<T | null> {
    if (this.#isClosed) return null;
    try {
      const link = await this.#existing();
      if (link === null) return null;
      return await this.#replyOf(link, ask(link));
    } catch (error) {
      this.#options.log.debug({ error: String(error) }, "the keeper did not answer as expected");
      return null;
    }
  }

  /** `null` where the keeper hangs: then it is left alone. */
  async #replyOf<T>(link: Link, asked: Promise<T>): Promise<T | null> {
    const reply = await waitFor(asked, { withinMs: ASK_MS, isPatient: true });
    if (reply !== TIMED_OUT) return reply;
    this.#warn("it does not answer");
    link.close();
    return null;
  }

  async #linkOrStart(): Promise<Link | null> {
    const existing = await this.#existing();
    if (existing !== null || this.#isPaused) return existing;
    let end = performance.now() + START_MS;
    const hurry = (): void => {
      // It could not run, or there is another one, which listens soon.
      end = Math.min(end, performance.now() + ANOTHER_MS);
    };
    void this.#options.start().then(hurry, hurry);
    while (performance.now() < end) {
      const link = await this.#existing();
      if (link !== null || this.#isPaused) return link;
      await setTimeout(START_POLL_MS);
    }
    throw new Error("it could not be started");
  }

  #existing(): Promise<Link | null> {
    if (this.#link !== null || this.#isPaused) return Promise.resolve(this.#link);
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = null;
    });
    return this.#connecting;
  }

  async #connect(): Promise<Link | null> {
    const link = await Link.connect(this.#options.address, {
      onPatches: (patches) => this.#update(patches),
      onStop: (id) => void this.#client.completions.cancel(id).catch(() => {}),
    });
    if (link === "absent") {
      this.#absentUntil = performance.now() + ABSENT_MS;
      return null;
    }
    if (link === "other") {
      this.#warn("what listens there is of another version, or no keeper of this user");
      return null;
    }
    this.#link = link;
    void link.closed.then(() => this.#lose(link));
    return link;
  }

  #update(patches: readonly Patch[]): void {
    for (const patch of patches) {
      this.#remote.get(patch.id)?.update(patch);
      if (patch.isRegenerated === true) this.#regenerated.add(patch.id);
    }
  }

  #lose(link: Link): void {
    if (this.#link === link) this.#link = null;
    for (const remote of this.#remote.values()) remote.leave("keeper ended");
    this.#promises.forgetSent();
    if (!this.#isClosed && this.#promises.isOpen) void this.#handOver();
  }

  #warn(error: unknown): void {
    this.#pausedUntil = performance.now() + PAUSE_MS;
    this.#options.log.warn(
      { error: String(error) },
      "no keeper can be used: answers that were promised end with this process",
    );
  }
}
