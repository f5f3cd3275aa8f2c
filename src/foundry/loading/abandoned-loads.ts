import { cancelledError, pause, toFoundryError } from "../../lib/index.js";
import type { Dialect } from "../dialects/index.js";
import { isSameVariant, type KnownModel, modelKey } from "../models/index.js";
import type { Service } from "../service/index.js";

/** How often to check whether an abandoned load has ended, in milliseconds. */
const POLL_MS = 1000;

/**
 * Loads that exceeded their time limit. The service continues them, and on some services a second
 * load would load the same model twice (docs/foundry-local.md, section 10.3), so the next load of the
 * model waits for the abandoned one.
 */
export class AbandonedLoads {
  readonly #service: Service;
  /** When each was abandoned, by model. */
  readonly #abandonedAt = new Map<string, number>();

  constructor(service: Service) {
    this.#service = service;
  }

  note(model: KnownModel): void {
    this.#abandonedAt.set(modelKey(model), performance.now());
  }

  /**
   * Waits until an abandoned load has ended, as far as that can be seen, at most for the time that a
   * load may take.
   *
   * @returns whether there was one.
   * @throws FoundryError `CANCELLED`, and what the service's list fails with.
   */
  async ended(model: KnownModel, { can }: Dialect, signal: AbortSignal): Promise<boolean> {
    const key = modelKey(model);
    const abandonedAt = this.#abandonedAt.get(key);
    if (abandonedAt === undefined) return false;
    const service = this.#service;
    const pauseMs = Math.min(POLL_MS, service.loadTimeoutMs / 10);
    try {
      for (;;) {
        if (signal.aborted) throw cancelledError();
        const { models } = await service.models.refreshLoaded(service.patient());
        const isLoaded = models.some(
          (listed) => listed.loaded === true && isSameVariant(listed, model),
        );
        const isOver = performance.now() - abandonedAt > service.loadTimeoutMs;
        // Where lists wait for loads, a list that came proves that no load is running.
        if (isLoaded || isOver || can.listsWaitForLoads) break;
        await pause(pauseMs, signal);
      }
    } catch (thrown) {
      const { code } = toFoundryError(thrown);
      // A service that is gone loads nothing.
      if (code !== "CANCELLED" && code !== "TIMEOUT") this.#abandonedAt.delete(key);
      throw thrown;
    }
    this.#abandonedAt.delete(key);
    return true;
  }
}
