import {
  type ErrorCode,
  type FoundryError,
  MOST_MODELS_REMEMBERED,
  RecentMap,
  untilAborted,
} from "../../lib/index.js";
import { type KnownModel, modelKey } from "../models/index.js";

/** Enough for a service to notice a closed stream, whatever the speed of the model. */
const SHORTEST_REST_MS = 1500;
/** For a stream that was abandoned before its first token: how long a token takes is not known. */
const REST_BEFORE_FIRST_TOKEN_MS = 10_000;

/** One of our generations on a model. */
export interface ModelUse {
  /** Notes a token, to measure the longest interval between two. */
  token(): void;
  /** `abandoned`: the stream was closed before its end, so the service may still generate a token. */
  end(how: "finished" | "abandoned"): void;
  failed(error: FoundryError): void;
}

/** Failures after which the service may still generate. All others are the service's own answers. */
const MAY_STILL_RUN: ReadonlySet<ErrorCode> = new Set(["CANCELLED", "CLIENT_CLOSED", "TIMEOUT"]);

/**
 * Which models our own generations use, or may still use after their stream was closed. C1 crashes
 * when a model is unloaded during a generation (docs/foundry-local.md, section 3).
 */
export class ModelUses {
  readonly #now: () => number;
  readonly #running = new Map<string, number>();
  readonly #restsUntil = new RecentMap<string, number>(MOST_MODELS_REMEMBERED);
  readonly #reserved = new Map<string, Promise<void>>();

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Begins a generation, after a running unload of the model has ended. */
  async begin(model: KnownModel, signal?: AbortSignal): Promise<ModelUse> {
    const key = modelKey(model);
    for (let holder = this.#reserved.get(key); holder; holder = this.#reserved.get(key)) {
      await untilAborted(holder, signal);
    }
    this.#running.set(key, this.running(model) + 1);
    let lastTokenAt: number | null = null;
    let longestGapMs = 0;
    let isOver = false;
    const use: ModelUse = {
      token: () => {
        const now = this.#now();
        if (lastTokenAt !== null) longestGapMs = Math.max(longestGapMs, now - lastTokenAt);
        lastTokenAt = now;
      },
      end: (how) => {
        if (isOver) return;
        isOver = true;
        const left = this.running(model) - 1;
        if (left === 0) this.#running.delete(key);
        else this.#running.set(key, left);
        if (how === "finished") return;
        const restMs =
          lastTokenAt === null
            ? REST_BEFORE_FIRST_TOKEN_MS
            : Math.max(SHORTEST_REST_MS, 3 * longestGapMs);
        const before = this.#restsUntil.get(key) ?? 0;
        this.#restsUntil.set(key, Math.max(before, this.#now() + restMs));
      },
      failed: ({ code }) => use.end(MAY_STILL_RUN.has(code) ? "abandoned" : "finished"),
    };
    return use;
  }

  /** Lets no generation begin on a model until `work` has ended. */
  async reserve<T>(model: KnownModel, work: () => Promise<T>): Promise<T> {
    const key = modelKey(model);
    const result = work();
    // Two unloads of a model may overlap. An error is reported to the caller of its unload.
    const holder = Promise.allSettled([this.#reserved.get(key), result]).then(() => {
      if (this.#reserved.get(key) === holder) this.#reserved.delete(key);
    });
    this.#reserved.set(key, holder);
    return result;
  }

  /** How many of our generations run on a model now. */
  running(model: KnownModel): number {
    return this.#running.get(modelKey(model)) ?? 0;
  }

  /** Milliseconds until no abandoned generation can be running any more. */
  restMs(model: KnownModel): number {
    return Math.max(0, (this.#restsUntil.get(modelKey(model)) ?? 0) - this.#now());
  }
}
