import { setTimeout } from "node:timers/promises";
import { cancelledError, type FoundryError, toFoundryError } from "../../lib/index.js";
import { isLoading } from "../dialects/index.js";
import type { CompletionEvent } from "./completion.js";
import type { CompletionProgress } from "./progress.js";

/** Between two requests to a service that is loading a model, unless it names a time itself. */
const PAUSE_MS = 1000;
const SHORTEST_PAUSE_MS = 50;

interface Patience {
  readonly progress: CompletionProgress;
  readonly service: {
    /** Longest load, in milliseconds. */
    readonly loadTimeoutMs: number;
  };
  readonly signal: AbortSignal;
  readonly now: () => number;
}

/**
 * Repeats work while the service refuses it because it is loading a model, up to the time limit of a
 * load. Nothing is yielded after the work has succeeded.
 *
 * @param onRefused Receives how often each refused request was sent.
 */
export async function* whileLoading<T>(
  { progress, service, signal, now }: Patience,
  work: () => Promise<T>,
  onRefused: (attempts: number) => void = () => {},
): AsyncGenerator<CompletionEvent, T> {
  const startedAt = now();
  let refusal: FoundryError | null = null;
  for (;;) {
    try {
      return await work();
    } catch (thrown) {
      const error = toFoundryError(thrown);
      const isFirst = refusal === null;
      if (isLoading(error)) refusal = error;
      // Refusals open the circuit, too.
      else if (refusal === null || error.code !== "CIRCUIT_OPEN") throw error;
      const pauseMs = Math.max(SHORTEST_PAUSE_MS, error.retryAfterMs ?? PAUSE_MS);
      if (now() - startedAt + pauseMs > service.loadTimeoutMs) {
        refusal.attempts = error.attempts;
        throw refusal;
      }
      onRefused(error.attempts);
      const { model } = progress;
      if (model !== null) {
        progress.loading(model);
        if (isFirst) yield { type: "status", status: "loading", model };
      }
      const pausedAt = now();
      await setTimeout(pauseMs, undefined, { signal }).catch(() => {
        const cancelled = cancelledError();
        cancelled.attempts = 0;
        throw cancelled;
      });
      progress.loadedIn(now() - pausedAt);
    }
  }
}

/** The same for work before the model is known: there is no event then. */
export async function untilLoaded<T>(patience: Patience, work: () => Promise<T>): Promise<T> {
  const steps = whileLoading(patience, work);
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return step.value;
  }
}
