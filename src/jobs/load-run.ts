import type { LoadOptions, LoadResult, ModelInfo, StatusUpdate } from "../foundry/index.js";
import { type FoundryError, toFoundryError } from "../lib/index.js";
import type { Logger } from "../log.js";
import { Listeners } from "./listeners.js";

export type LoadStatus = "loading" | "downloading" | "loaded" | "already_loaded" | "failed";

/** A load as it stands; `error` is why it failed. */
export type LoadState = LoadFacts &
  (
    | { readonly status: Exclude<LoadStatus, "failed">; readonly error: null }
    | { readonly status: "failed"; readonly error: FoundryError }
  );

export interface LoadFacts {
  /** Exact id where it is known already, else what was typed. */
  readonly model: string;
  /** Of a download as far as it is told, 100 when the model is loaded; `null`: not known. */
  readonly percent: number | null;
  readonly elapsedMs: number;
  /** What it is at, such as `Waiting for the load of phi-4-mini-instruct-generic-cpu:5`. */
  readonly news: string | null;
  /** What was tight, each a sentence. */
  readonly warnings: readonly string[];
}

/** What loads run on. */
export interface Loader {
  whichModel(
    model: string,
    options: Pick<LoadOptions, "device" | "signal" | "onStatus">,
  ): Promise<ModelInfo>;
  loadModel(model: string, options: LoadOptions): Promise<LoadResult>;
}

export type LoadWish = Pick<LoadOptions, "device" | "download" | "force" | "idleSeconds">;

interface LoadParts {
  readonly typed: string;
  readonly wish: LoadWish;
  readonly loader: Loader;
  readonly now: () => number;
  readonly log?: Logger | undefined;
  /** Another load of the same model whose outcome is the same, once the model is known. */
  readonly sameAs: (model: ModelInfo, run: LoadRun) => LoadRun | null;
}

/**
 * One load with a life of its own: it runs to its end whoever waits for it. Where it turns out that
 * the same model is being loaded already, that load is its own, too.
 */
export class LoadRun {
  readonly wish: LoadWish;
  /** Resolves when it has ended, however. */
  readonly ended: Promise<void>;
  /** Whether somebody was told how it ended. @internal */
  wasTold = false;
  /** Calls that wait for it now. @internal */
  waiting = 0;
  readonly #typed: string;
  readonly #now: () => number;
  readonly #startedAt: number;
  readonly #stopping = new AbortController();
  readonly #listeners: Listeners<[StatusUpdate]>;
  readonly #followers = new Set<LoadRun>();
  #leader: LoadRun | null = null;
  #model: string;
  #news: StatusUpdate | null = null;
  #result: LoadResult | null = null;
  #error: FoundryError | null = null;
  #endedAt: number | null = null;

  constructor(parts: LoadParts) {
    this.#listeners = new Listeners(parts.log);
    this.wish = parts.wish;
    this.#typed = parts.typed;
    this.#model = parts.typed;
    this.#now = parts.now;
    this.#startedAt = parts.now();
    this.ended = this.#run(parts);
  }

  get endedAt(): number | null {
    return this.#endedAt;
  }

  /** The load that is really made. @internal */
  get own(): LoadRun {
    return this.#leader?.own ?? this;
  }

  state(): LoadState {
    const leader = this.#leader;
    if (leader !== null) return leader.state();
    const step = this.#news?.step;
    const { status = "loading", warnings = [] } = this.#result ?? {};
    const facts = {
      model: this.#result?.model ?? this.#model,
      percent: this.#result === null ? (this.#news?.percent ?? null) : 100,
      elapsedMs: Math.round((this.#endedAt ?? this.#now()) - this.#startedAt),
      news: this.#news?.message ?? null,
      warnings,
    };
    if (this.#error !== null) return { ...facts, status: "failed", error: this.#error };
    return { ...facts, status: step === "downloading" ? step : status, error: null };
  }

  /** Tells what it is at, now and from now on; returns what ends that. */
  watch(listener: (news: StatusUpdate) => void): () => void {
    return this.#listeners.add(listener, this.#news === null ? undefined : [this.#news]);
  }

  /**
   * Ends it as far as it can be, unless others wait for it: no service stops a load that has begun
   * (docs/foundry-local.md, section 3).
   */
  stop(): void {
    const { own } = this;
    if (own.#waiters() > 0 || own.#news?.step === "loading" || own.#endedAt !== null) return;
    own.wasTold = true;
    own.#stopping.abort();
  }

  #waiters(): number {
    return [...this.#followers].reduce((sum, run) => sum + run.#waiters(), this.waiting);
  }

  async #run(parts: LoadParts): Promise<void> {
    try {
      await this.#load(parts);
    } catch (thrown) {
      this.#error = toFoundryError(thrown);
    } finally {
      this.#news = null;
      this.#endedAt = this.#now();
      this.#listeners.clear();
    }
  }

  async #load({ wish, loader, sameAs }: LoadParts): Promise<void> {
    const { signal } = this.#stopping;
    const onStatus = (news: StatusUpdate): void => this.#tell(news);
    const model = await loader.whichModel(this.#typed, { device: wish.device, signal, onStatus });
    const same = sameAs(model, this);
    if (same !== null) return this.#follow(same);
    this.#model = model.id;
    this.#result = await loader.loadModel(this.#typed, { ...wish, signal, onStatus });
  }

  async #follow(leader: LoadRun): Promise<void> {
    this.#leader = leader;
    leader.#followers.add(this);
    const unwatch = leader.watch((news) => this.#tell(news));
    await leader.ended;
    unwatch();
    leader.#followers.delete(this);
  }

  #tell(news: StatusUpdate): void {
    this.#news = news.step === "found" ? null : news;
    this.#listeners.tell(news);
  }
}
