import { setTimeout } from "node:timers/promises";
import { cancelledError, toFoundryError } from "../../lib/index.js";
import type { Dialect } from "../dialects/index.js";
import { type KnownModel, modelKey } from "../models/index.js";
import type { Service } from "../service/index.js";

/** How often it is looked whether a load has ended that nobody waits for in the service itself. */
const LOOK_AGAIN_MS = 1000;

/**
 * Loads that took longer than we waited. They go on in the service, and on some a second one would
 * load the same again (docs/foundry-local.md, section 10.3), so they are looked up first.
 */
export class AbandonedLoads {
  readonly #service: Service;
  /** When each was left. */
  readonly #left = new Map<string, number>();

  constructor(service: Service) {
    this.#service = service;
  }

  note(model: KnownModel): void {
    this.#left.set(modelKey(model), performance.now());
  }

  has(model: KnownModel): boolean {
    return this.#left.has(modelKey(model));
  }

  /**
   * Waits until a load that was left has ended, as far as one can tell, or as long again as a load may
   * take.
   *
   * @throws FoundryError `CANCELLED`, and what the service's list fails with.
   */
  async ended(model: KnownModel, { can }: Dialect, signal: AbortSignal): Promise<void> {
    const leftAt = this.#left.get(modelKey(model));
    if (leftAt === undefined) return;
    const service = this.#service;
    const pauseMs = Math.min(LOOK_AGAIN_MS, service.loadTimeoutMs / 10);
    try {
      for (;;) {
        if (signal.aborted) throw cancelledError();
        const { models } = await service.listModels(service.patient());
        const isLoaded = models.some(
          (listed) => modelKey(listed) === modelKey(model) && listed.loaded,
        );
        const isOver = performance.now() - leftAt > service.loadTimeoutMs;
        // Where lists wait for loads, this one has told that there is none.
        if (isLoaded || isOver || can.listsWaitForLoads) break;
        await setTimeout(pauseMs, undefined, { signal }).catch(() => {});
      }
    } catch (thrown) {
      const { code } = toFoundryError(thrown);
      // Where the service is gone, so is its load.
      if (code !== "CANCELLED" && code !== "TIMEOUT") this.#left.delete(modelKey(model));
      throw thrown;
    }
    this.#left.delete(modelKey(model));
  }
}
