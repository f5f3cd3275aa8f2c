import * as z from "zod";
import {
  checkOptions,
  type KnownModel,
  listener,
  loadWishFields,
  modelArgument,
  modelKey,
  signalOption,
  traceOption,
  withinMs,
} from "../foundry/index.js";
import { parseArguments } from "../lib/index.js";
import {
  type LoadContext,
  LoadRun,
  type LoadState,
  type LoadWaitOptions,
  type LoadWish,
  LoadWork,
} from "./load-job.js";

const wishOptions = z.strictObject({ ...loadWishFields, ...traceOption });
const waitOptions = z.strictObject({ withinMs, ...signalOption, onStatus: listener.optional() });

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
  readonly #context: LoadContext;
  /** By what was typed and its options: equal requests are one, before their model is resolved. */
  readonly #runs = new Map<string, LoadRun>();
  /** By the key of the resolved model. */
  readonly #loads = new Map<string, LoadWork>();

  /** @internal */
  constructor(
    loader: LoadContext["loader"],
    { now = () => performance.now(), log }: Partial<LoadContext> = {},
  ) {
    this.#context = { loader, now, log };
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
    if (before?.work.isOpen === true) return before;
    const run = new LoadRun(model, wish, this.#context, (resolved, startedAt) =>
      this.#loadOf(resolved, model, wish, startedAt),
    );
    run.isRepeat = before !== undefined;
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
    return load.wait(options);
  }

  /**
   * Stops what can be stopped, which is a download, or a load that waits for another one. Does nothing
   * while a call waits for it.
   */
  stop(load: LoadRun): void {
    parseArguments(loadArgument, { load });
    load.stop();
  }

  #loadOf(model: KnownModel, typed: string, wish: LoadWish, startedAt: number): LoadWork {
    const key = modelKey(model);
    const running = this.#loads.get(key);
    if (running !== undefined && isJoinable(running, wish, model.loaded === true)) return running;
    const { loader } = this.#context;
    const load = new LoadWork(
      model.id,
      wish,
      this.#context,
      (signal, onStatus) => loader.loadModel(typed, { ...wish, signal, onStatus }),
      startedAt,
    );
    this.#loads.set(key, load);
    return load;
  }

  #prune(): void {
    const isOver = ({ endedAt, isReported }: LoadWork): boolean =>
      endedAt !== null && (isReported || this.#context.now() - endedAt > KEPT_MS);
    for (const [key, { work }] of this.#runs) if (isOver(work)) this.#runs.delete(key);
    for (const [key, load] of this.#loads) if (isOver(load)) this.#loads.delete(key);
  }
}

/** A success is joined as long as the model is still loaded. */
function isJoinable(load: LoadWork, wanted: LoadWish, isLoaded: boolean): boolean {
  const { wish, isReported, isOpen } = load;
  const isUseful = !isReported && (isOpen || isLoaded);
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
