import * as z from "zod";
import {
  checkOptions,
  listener,
  loadWishFields,
  modelArgument,
  modelKey,
  optionsOf,
  type StatusUpdate,
  signalOption,
  traceOption,
  withinMs,
} from "../foundry/index.js";
import { parseArguments, throwIfAborted, waitFor } from "../lib/index.js";
import type { Logger } from "../log.js";
import { type Loader, LoadJob, LoadRun, type LoadState, type LoadWish } from "./load-job.js";

/** @internal */
export interface LoadsOptions {
  /** A monotonic clock in milliseconds. For tests. */
  readonly now?: (() => number) | undefined;
  /** Of listeners that throw. Default: none. */
  readonly log?: Logger | undefined;
}

export interface LoadWaitOptions {
  /** Longest wait, in milliseconds; 0 returns the state at once. Default: until it has ended. */
  readonly withinMs?: number | undefined;
  /** Aborting it ends the waiting with `CANCELLED` or `TIMEOUT`, and not the load. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the latest status of the load, and with every further one. */
  readonly onStatus?: ((update: StatusUpdate) => void) | undefined;
}

const wishOptions = optionsOf({ ...loadWishFields, ...traceOption });
const waitOptions = optionsOf({ withinMs, ...signalOption, onStatus: listener.optional() });

const loadArgument = z.object({ load: z.instanceof(LoadRun, { error: "what start returned" }) });

/** How long an outcome is kept for the next request for the same load, unless a caller got it. */
const KEPT_MS = 5 * 60_000;

/**
 * Loads and downloads that run to their end without waiters. A request for a model that is being
 * loaded joins the same load, whatever name the model is given.
 *
 * @example
 * const load = client.loads.start("phi-4-mini", { download: true });
 * const { status, percent } = await client.loads.wait(load, { withinMs: 45_000 });
 */
export class Loads {
  readonly #loader: Loader;
  readonly #now: () => number;
  readonly #log: Logger | undefined;
  /** By what was typed and its options: equal requests are one, before their model is resolved. */
  readonly #runs = new Map<string, LoadRun>();
  /** By the key of the resolved model. */
  readonly #jobs = new Map<string, LoadJob>();

  /** @internal */
  constructor(loader: Loader, options: LoadsOptions = {}) {
    this.#loader = loader;
    this.#now = options.now ?? (() => performance.now());
    this.#log = options.log;
  }

  /**
   * Starts a load, or joins the running one of the same model, and returns at once. A load that failed
   * without a waiter is joined, too: its error is reported before the model is loaded again.
   *
   * @param model alias, name or id.
   */
  start(model: string, wish: LoadWish = {}): LoadRun {
    parseArguments(modelArgument, { model });
    checkOptions(wishOptions, wish, { example: "{ download: true }" });
    this.#prune();
    const key = loadKey(model, wish);
    const before = this.#runs.get(key);
    if (before?.progress.isOpen === true) return before;
    const context = { loader: this.#loader, now: this.#now, log: this.#log };
    const run = new LoadRun(model, wish, context, (resolved, own) => {
      const { loaded } = resolved;
      const key = modelKey(resolved);
      const running = this.#jobs.get(key);
      if (running !== undefined && isJoinable(running, own.wish, loaded === true)) return running;
      const job = new LoadJob(resolved, own, context);
      this.#jobs.set(key, job);
      return job;
    });
    this.#runs.set(key, run);
    return run;
  }

  /**
   * Waits until a load has ended, or for the given time. Resolves with its state then, also where it
   * failed: `error` says why.
   *
   * @throws FoundryError `CANCELLED` or `TIMEOUT` for the waiting.
   */
  async wait(load: LoadRun, options: LoadWaitOptions = {}): Promise<LoadState> {
    parseArguments(loadArgument, { load });
    checkOptions(waitOptions, options);
    const { withinMs, signal, onStatus } = options;
    throwIfAborted(signal);
    const unwatch = load.watch(onStatus ?? (() => {}));
    load.beginWait();
    try {
      if (load.endedAt === null && withinMs !== 0) await waitFor(load.ended, { withinMs, signal });
      if (load.endedAt !== null) load.progress.isReported = true;
      return load.state();
    } catch (thrown) {
      throwIfAborted(signal);
      throw thrown;
    } finally {
      load.waiting -= 1;
      unwatch();
    }
  }

  /**
   * Stops what can be stopped, which is a download, or a load that waits for another one. Does nothing
   * while a call waits for it.
   */
  stop(load: LoadRun): void {
    parseArguments(loadArgument, { load });
    load.stop();
  }

  #prune(): void {
    for (const loads of [this.#runs, this.#jobs]) {
      for (const [key, { progress }] of loads) {
        const { endedAt, isReported } = progress;
        const isOld = endedAt !== null && this.#now() - endedAt > KEPT_MS;
        if (isOld || (endedAt !== null && isReported)) loads.delete(key);
      }
    }
  }
}

/** A success is joined as long as the model is still loaded. */
function isJoinable({ progress, wish }: LoadJob, wanted: LoadWish, isLoaded: boolean): boolean {
  const isUseful = progress.isOpen || (progress.isUnreportedSuccess && isLoaded);
  // With `force` or `download` a load can succeed where another one fails.
  const isLimited =
    (wanted.force === true && wish.force !== true) ||
    (wanted.download === true && wish.download !== true);
  return isUseful && !isLimited;
}

/** Equal for the same load. Names mean the same in any case. */
export const loadKey = (
  model: string,
  { device, download, force, idleSeconds }: LoadWish,
): string => JSON.stringify([model.trim().toLowerCase(), device, download, force, idleSeconds]);
