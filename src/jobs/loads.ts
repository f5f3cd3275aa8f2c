import { setTimeout } from "node:timers/promises";
import {
  listener,
  loadWishFields,
  type ModelInfo,
  optionsOf,
  type StatusUpdate,
  signalOption,
  withinMs,
} from "../foundry/index.js";
import { cancelledError, MAX_TIMER_MS, onAbort, parseArguments } from "../lib/index.js";
import type { Logger } from "../log.js";
import { type Loader, LoadRun, type LoadState, type LoadWish } from "./load-run.js";

export interface LoadsOptions {
  /** Milliseconds that only grow. For tests. */
  readonly now?: (() => number) | undefined;
  /** Of listeners that throw. Default: none. */
  readonly log?: Logger | undefined;
}

export interface LoadWaitOptions {
  /** Longest wait, in milliseconds; 0 looks only. Default: until it has ended. */
  readonly withinMs?: number | undefined;
  /** Aborting it ends the waiting with `CANCELLED`, and not the load. */
  readonly signal?: AbortSignal | undefined;
  /** Told what the load is at. */
  readonly onStatus?: ((news: StatusUpdate) => void) | undefined;
}

const wishOptions = optionsOf(loadWishFields);
const waitOptions = optionsOf({ withinMs, ...signalOption, onStatus: listener.optional() });

/** How long a failure is kept for whoever asks for the same again, unless somebody was told it. */
const KEPT_MS = 5 * 60_000;

/**
 * Loads and downloads with a life of their own: asking for a model that is being loaded goes on
 * waiting for the same load, whoever asks and by whatever name.
 *
 * @example
 * const load = client.loads.start("phi-4-mini", { download: true });
 * const { status, percent } = await client.loads.wait(load, { withinMs: 45_000 });
 */
export class Loads {
  readonly #loader: Loader;
  readonly #now: () => number;
  readonly #log: Logger | undefined;
  /** By what was typed and wished for: the same question is the same load before it is known of what. */
  readonly #asked = new Map<string, LoadRun>();
  /** By the model's id. */
  readonly #models = new Map<string, LoadRun>();

  constructor(loader: Loader, options: LoadsOptions = {}) {
    this.#loader = loader;
    this.#now = options.now ?? (() => performance.now());
    this.#log = options.log;
  }

  /**
   * Starts a load, or joins the one of the same model that is under way, and returns at once. One that
   * failed while nobody waited is not tried anew before somebody was told why.
   *
   * @param model alias, name or id.
   */
  start(model: string, wish: LoadWish = {}): LoadRun {
    parseArguments(wishOptions, wish, { noun: "option" });
    this.#prune();
    const question = questionOf(model, wish);
    const before = this.#asked.get(question);
    if (before !== undefined && isOpen(before)) return before;
    const run: LoadRun = new LoadRun({
      typed: model,
      wish,
      loader: this.#loader,
      now: this.#now,
      log: this.#log,
      sameAs: (known, own) => this.#sameAs(known, own),
    });
    this.#asked.set(question, run);
    return run;
  }

  /**
   * Waits until a load has ended, or for so long. How it stands by then is the result, also where it
   * failed: then `error` says why.
   *
   * @throws FoundryError `CANCELLED` for the waiting.
   */
  async wait(load: LoadRun, options: LoadWaitOptions = {}): Promise<LoadState> {
    parseArguments(waitOptions, options, { noun: "option" });
    const { withinMs, signal, onStatus } = options;
    if (signal?.aborted === true) throw cancelledError();
    const unwatch = load.watch(onStatus ?? (() => {}));
    load.waiting += 1;
    try {
      if (load.endedAt === null && withinMs !== 0) await untilEnded(load, withinMs, signal);
      if (load.endedAt !== null) {
        load.wasTold = true;
        load.own.wasTold = true;
      }
      return load.state();
    } finally {
      load.waiting -= 1;
      unwatch();
    }
  }

  /**
   * Nobody wants it any more: ends what can be ended, which is a download, and a load that waits for
   * its turn. Does nothing while somebody waits for it.
   */
  stop(load: LoadRun): void {
    load.stop();
  }

  #sameAs({ id, loaded }: ModelInfo, run: LoadRun): LoadRun | null {
    const same = this.#models.get(id);
    // A success is as good as the model's still being in memory.
    const isGood =
      same !== undefined &&
      (isOpen(same) || (!same.wasTold && same.state().error === null && loaded === true));
    if (isGood && !asksForMore(run, same)) return same;
    this.#models.set(id, run);
    return null;
  }

  #prune(): void {
    for (const runs of [this.#asked, this.#models]) {
      for (const [key, run] of runs) {
        const { endedAt, wasTold } = run;
        if (endedAt !== null && (wasTold || this.#now() - endedAt > KEPT_MS)) runs.delete(key);
      }
    }
  }
}

/** Whether it runs, or has failed without anybody's knowing. */
const isOpen = (run: LoadRun): boolean =>
  run.endedAt === null ? !run.own.wasTold : !run.own.wasTold && run.state().error !== null;

/** Whether a load may succeed where the other one must fail. */
const asksForMore = ({ wish }: LoadRun, other: LoadRun): boolean =>
  (wish.force === true && other.wish.force !== true) ||
  (wish.download === true && other.wish.download !== true);

/** Names mean the same in any case. */
const questionOf = (model: string, { device, download, force, idleSeconds }: LoadWish): string =>
  JSON.stringify([String(model).trim().toLowerCase(), device, download, force, idleSeconds]);

async function untilEnded(
  load: LoadRun,
  withinMs: number | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const over = new AbortController();
  let stopListening = (): void => {};
  const races: Promise<unknown>[] = [load.ended];
  if (signal !== undefined) {
    races.push(
      new Promise((_resolve, reject) => {
        stopListening = onAbort(signal, () => reject(cancelledError()));
      }),
    );
  }
  if (withinMs !== undefined) {
    races.push(
      setTimeout(Math.min(withinMs, MAX_TIMER_MS), undefined, { signal: over.signal }).catch(
        () => {},
      ),
    );
  }
  try {
    await Promise.race(races);
  } finally {
    stopListening();
    over.abort();
  }
}
