import type { KnownModel, LoadOptions, LoadResult, StatusUpdate } from "../foundry/index.js";
import { type FoundryError, toFoundryError } from "../lib/index.js";
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

/** What loads run on. */
export interface Loader {
  whichModel(
    model: string,
    options: Pick<LoadOptions, "device" | "signal" | "onStatus" | "trace">,
  ): Promise<KnownModel>;
  loadModel(model: string, options: LoadOptions): Promise<LoadResult>;
}

export type LoadWish = Pick<LoadOptions, "device" | "download" | "force" | "idleSeconds" | "trace">;

interface LoadContext {
  readonly loader: Loader;
  readonly now: () => number;
  readonly log?: Logger | undefined;
}

type LoadPhase =
  | { readonly is: "running"; readonly update: StatusUpdate | null }
  /** Without a result it is a request, whose job has the result. */
  | { readonly is: "done"; readonly at: number; readonly result: LoadResult | null }
  | { readonly is: "failed"; readonly at: number; readonly error: FoundryError };

/** The state of a load, and the listeners to its status updates. */
class LoadProgress {
  readonly startedAt: number;
  readonly #model: string;
  readonly #now: () => number;
  readonly #listeners: Listeners<[StatusUpdate]>;
  #phase: LoadPhase = { is: "running", update: null };
  /** Whether a caller got the outcome, or the load was stopped. */
  isReported = false;

  constructor(model: string, { now, log }: LoadContext, startedAt = now()) {
    this.startedAt = startedAt;
    this.#model = model;
    this.#now = now;
    this.#listeners = new Listeners(log);
  }

  get endedAt(): number | null {
    return this.#phase.is === "running" ? null : this.#phase.at;
  }

  /** Whether it is running, or has failed without any caller having got the error. */
  get isOpen(): boolean {
    return !this.isReported && this.#phase.is !== "done";
  }

  /** Whether it has succeeded without any caller having got the result. */
  get isUnreportedSuccess(): boolean {
    return !this.isReported && this.#phase.is === "done" && this.#phase.result !== null;
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

  update(update: StatusUpdate): void {
    if (this.#phase.is === "running") {
      this.#phase = { is: "running", update: update.step === "found" ? null : update };
    }
    this.#listeners.notify(update);
  }

  /** Runs the work to its end. Never rejects: its error becomes part of the state. */
  async run(work: () => Promise<LoadResult | null>): Promise<void> {
    try {
      const result = await work();
      this.#phase = { is: "done", at: this.#now(), result };
    } catch (thrown) {
      this.#phase = { is: "failed", at: this.#now(), error: toFoundryError(thrown) };
    } finally {
      this.#listeners.clear();
    }
  }

  get #update(): StatusUpdate | null {
    return this.#phase.is === "running" ? this.#phase.update : null;
  }
}

/** The load of one model, its download included. It runs to its end without waiters, too. */
export class LoadJob {
  readonly wish: LoadWish;
  readonly progress: LoadProgress;
  readonly ended: Promise<void>;
  readonly #stopping = new AbortController();
  /** The requests that it serves. */
  readonly #runs = new Set<LoadRun>();

  /** @param run The first request for it. */
  constructor({ id }: KnownModel, run: LoadRun, context: LoadContext) {
    const { typed, wish, progress } = run;
    this.wish = wish;
    this.progress = new LoadProgress(id, context, progress.startedAt);
    const { signal } = this.#stopping;
    const onStatus = (update: StatusUpdate): void => this.progress.update(update);
    this.ended = this.progress.run(() =>
      context.loader.loadModel(typed, { ...wish, signal, onStatus }),
    );
  }

  /** Serves a request: resolves when the job has ended. */
  async serve(run: LoadRun, onStatus: (update: StatusUpdate) => void): Promise<void> {
    this.#runs.add(run);
    const unwatch = this.progress.watch(onStatus);
    await this.ended;
    unwatch();
  }

  get waits(): number {
    return [...this.#runs].reduce((sum, { ownWaits }) => sum + ownWaits, 0);
  }

  /** Stops it unless a caller waits, or the service is loading: no service stops that. */
  stop(): void {
    const isWaitedFor = [...this.#runs].some(({ waiting }) => waiting > 0);
    const { endedAt, step } = this.progress;
    if (isWaitedFor || step === "loading" || endedAt !== null) return;
    this.progress.isReported = true;
    this.#stopping.abort();
  }
}

/** A request for a load. It joins the job of its model when the model is resolved. */
export class LoadRun {
  readonly wish: LoadWish;
  /** Resolves when the load has ended, whether it succeeded or not. */
  readonly ended: Promise<void>;
  /** @internal */
  readonly typed: string;
  /** Calls that wait for it now. @internal */
  waiting = 0;
  /** Calls that have begun to wait for it. @internal */
  #waits = 0;
  readonly #resolution: LoadProgress;
  readonly #stopping = new AbortController();
  #job: LoadJob | null = null;

  /**
   * @param jobOf The running job of a model, or a new one.
   * @internal
   */
  constructor(
    typed: string,
    wish: LoadWish,
    context: LoadContext,
    jobOf: (model: KnownModel, run: LoadRun) => LoadJob,
  ) {
    this.typed = typed;
    this.wish = wish;
    this.#resolution = new LoadProgress(typed, context);
    const { signal } = this.#stopping;
    const onStatus = (update: StatusUpdate): void => this.#resolution.update(update);
    this.ended = this.#resolution.run(async () => {
      const { device, trace } = wish;
      const model = await context.loader.whichModel(typed, { device, signal, onStatus, trace });
      this.#job = jobOf(model, this);
      await this.#job.serve(this, onStatus);
      return null;
    });
  }

  /** How many calls have begun to wait for this load, by whatever name of its model. @internal */
  get waits(): number {
    return this.#job?.waits ?? this.#waits;
  }

  /** @internal */
  beginWait(): void {
    this.waiting += 1;
    this.#waits += 1;
  }

  /** @internal */
  get ownWaits(): number {
    return this.#waits;
  }

  /** Of the job; before that, of the resolution. @internal */
  get progress(): LoadProgress {
    return this.#job?.progress ?? this.#resolution;
  }

  get endedAt(): number | null {
    return this.progress.endedAt;
  }

  state(): LoadState {
    return this.progress.state();
  }

  /** Calls the listener with the latest status and every further one; returns what ends that. */
  watch(listener: (update: StatusUpdate) => void): () => void {
    return this.#resolution.watch(listener);
  }

  /**
   * Stops the load as far as possible, unless other calls wait for it: no service stops a load that
   * has begun (docs/foundry-local.md, section 3).
   */
  stop(): void {
    this.#job?.stop();
    if (this.#job !== null || this.waiting > 0 || this.endedAt !== null) return;
    this.#resolution.isReported = true;
    this.#stopping.abort();
  }
}
