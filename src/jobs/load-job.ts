import type {
  KnownModel,
  LoadOptions,
  LoadResult,
  ServiceClient,
  StatusUpdate,
} from "../foundry/index.js";
import { type FoundryError, throwIfAborted, toFoundryError, waitFor } from "../lib/index.js";
import type { Logger } from "../log.js";
import { Listeners } from "./listeners.js";

export type LoadStatus = "loading" | "downloading" | "loaded" | "already_loaded" | "failed";

/** The state of a load; `error` is why it failed. */
export type LoadState = LoadFacts &
  (
    | { readonly status: Exclude<LoadStatus, "failed">; readonly error: null }
    | { readonly status: "failed"; readonly error: FoundryError }
  );

export interface LoadFacts {
  /** Exact id where it is known already, else what was typed. */
  readonly model: string;
  /** Of a download as far as it is known, 100 when the model is loaded; `null`: not known. */
  readonly percent: number | null;
  readonly elapsedMs: number;
  /** Its latest status, such as `Waiting for the load of phi-4-mini-instruct-generic-cpu:5`. */
  readonly news: string | null;
  /** What was tight, each a sentence. */
  readonly warnings: readonly string[];
}

export type LoadWish = Pick<LoadOptions, "device" | "download" | "force" | "idleSeconds" | "trace">;

export interface LoadWaitOptions {
  /** Longest wait, in milliseconds; 0 returns the state at once. Default: until it has ended. */
  readonly withinMs?: number | undefined;
  /** Aborting it ends the waiting with `CANCELLED` or `TIMEOUT`, and not the load. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the latest status of the load, and with every further one. */
  readonly onStatus?: ((update: StatusUpdate) => void) | undefined;
}

/**
 * What loads run on.
 * @internal
 */
export interface LoadContext {
  readonly loader: Pick<ServiceClient, "whichModel" | "loadModel">;
  /** A monotonic clock in milliseconds. */
  readonly now: () => number;
  /** Of listeners that throw. Default: none. */
  readonly log?: Logger | undefined;
}

type LoadPhase =
  | { readonly is: "running"; readonly update: StatusUpdate | null }
  /** Without a result it is a resolution: the load of the model has it. */
  | { readonly is: "done"; readonly at: number; readonly result: LoadResult | null }
  | { readonly is: "failed"; readonly at: number; readonly error: FoundryError };

type LoadFunction = (
  signal: AbortSignal,
  onStatus: (update: StatusUpdate) => void,
) => Promise<LoadResult | null>;

/**
 * Work for a load, with its state, its waiters and the listeners to its status updates. A request has two of them:
 * the resolution of its model, then the load of that model, its download included, which all requests for the
 * model share. Both run to their end without waiters, too.
 * @internal
 */
export class LoadWork {
  readonly wish: LoadWish;
  readonly startedAt: number;
  /** Calls that wait for it now, and that have begun to. */
  readonly waits = { now: 0, begun: 0 };
  /** Never rejects: an error becomes part of the state. */
  readonly ended: Promise<void>;
  readonly #model: string;
  readonly #now: () => number;
  readonly #listeners: Listeners<[StatusUpdate]>;
  readonly #stopping = new AbortController();
  #phase: LoadPhase = { is: "running", update: null };
  /** Whether a caller got the outcome, or the load was stopped. */
  isReported = false;

  constructor(
    model: string,
    wish: LoadWish,
    { now, log }: LoadContext,
    load: LoadFunction,
    startedAt = now(),
  ) {
    this.wish = wish;
    this.startedAt = startedAt;
    this.#model = model;
    this.#now = now;
    this.#listeners = new Listeners(log);
    this.ended = this.#run(load);
  }

  get endedAt(): number | null {
    return this.#phase.is === "running" ? null : this.#phase.at;
  }

  /** Whether it is running, or has failed without any caller having got the error. */
  get isOpen(): boolean {
    return !this.isReported && this.#phase.is !== "done";
  }

  get step(): StatusUpdate["step"] | null {
    return this.#update?.step ?? null;
  }

  state(): LoadState {
    const phase = this.#phase;
    const result = phase.is === "done" ? phase.result : null;
    const facts = {
      model: result?.model ?? this.#model,
      percent: result === null ? (this.#update?.percent ?? null) : 100,
      elapsedMs: Math.round((this.endedAt ?? this.#now()) - this.startedAt),
      news: this.#update?.message ?? null,
      warnings: result?.warnings ?? [],
    };
    if (phase.is === "failed") return { ...facts, status: "failed", error: phase.error };
    const status = this.step === "downloading" ? "downloading" : (result?.status ?? "loading");
    return { ...facts, status, error: null };
  }

  watch(listener: (update: StatusUpdate) => void): () => void {
    return this.#listeners.add(listener, this.#update === null ? undefined : [this.#update]);
  }

  stop(): void {
    if (this.endedAt !== null) return;
    this.isReported = true;
    this.#stopping.abort();
  }

  async #run(load: LoadFunction): Promise<void> {
    try {
      const result = await load(this.#stopping.signal, (update) => this.#note(update));
      this.#phase = { is: "done", at: this.#now(), result };
    } catch (thrown) {
      this.#phase = { is: "failed", at: this.#now(), error: toFoundryError(thrown) };
    } finally {
      this.#listeners.clear();
    }
  }

  #note(update: StatusUpdate): void {
    if (this.#phase.is === "running") {
      this.#phase = { is: "running", update: update.step === "found" ? null : update };
    }
    this.#listeners.notify(update);
  }

  get #update(): StatusUpdate | null {
    return this.#phase.is === "running" ? this.#phase.update : null;
  }
}

/** A request for a load. It joins the load of its model when the model is resolved. */
export class LoadRun {
  readonly wish: LoadWish;
  /** Resolves when the load has ended, whether it succeeded or not. */
  readonly ended: Promise<void>;
  /** An equal request succeeded, and no call got its outcome. @internal */
  isRepeat = false;
  readonly #resolution: LoadWork;
  #load: LoadWork | null = null;

  /**
   * @param loadOf The load of a model that goes on, or a new one.
   * @internal
   */
  constructor(
    typed: string,
    wish: LoadWish,
    context: LoadContext,
    loadOf: (model: KnownModel, startedAt: number) => LoadWork,
  ) {
    this.wish = wish;
    this.#resolution = new LoadWork(typed, wish, context, async (signal, onStatus) => {
      const { device, trace } = wish;
      const model = await context.loader.whichModel(typed, { device, signal, onStatus, trace });
      const { startedAt, waits } = this.#resolution;
      const load = loadOf(model, startedAt);
      load.waits.now += waits.now;
      load.waits.begun += waits.begun;
      this.#load = load;
      load.watch(onStatus);
      await load.ended;
      return null;
    });
    this.ended = this.#resolution.ended;
  }

  /** How many calls have begun to wait for this load, by whatever name of its model. @internal */
  get waits(): number {
    return this.work.waits.begun;
  }

  /** The load of the model; before that, the resolution. @internal */
  get work(): LoadWork {
    return this.#load ?? this.#resolution;
  }

  get endedAt(): number | null {
    return this.work.endedAt;
  }

  state(): LoadState {
    return this.work.state();
  }

  /** Calls the listener with the latest status and every further one; returns what ends that. */
  watch(listener: (update: StatusUpdate) => void): () => void {
    return this.#resolution.watch(listener);
  }

  /** @internal */
  async wait({ withinMs, signal, onStatus = () => {} }: LoadWaitOptions): Promise<LoadState> {
    throwIfAborted(signal);
    const unwatch = this.watch(onStatus);
    this.work.waits.now += 1;
    this.work.waits.begun += 1;
    try {
      if (this.endedAt === null && withinMs !== 0) await waitFor(this.ended, { withinMs, signal });
      if (this.endedAt !== null) this.work.isReported = true;
      return this.state();
    } catch (thrown) {
      throwIfAborted(signal);
      throw thrown;
    } finally {
      this.work.waits.now -= 1;
      unwatch();
    }
  }

  /**
   * Stops the load as far as possible, unless other calls wait for it: no service stops a load that
   * has begun (docs/foundry-local.md, section 3).
   */
  stop(): void {
    const hasBegun = this.#load?.step === "loading";
    if (this.work.waits.now === 0 && !hasBegun) this.work.stop();
  }
}
