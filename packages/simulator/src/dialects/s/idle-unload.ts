import { LONGEST_TIMER_MS } from "../../clock.js";
import type { Engine } from "../../engine/engine.js";

const DEFAULT_SECONDS = 600;

interface Watched {
  /** `Infinity`: it stays. */
  idleMs: number;
  lastUsed: number;
  /** When its timer fires. */
  wakesAt: number;
}

/** Unloads models that have been idle for a while. */
export class IdleUnload {
  readonly #watched = new Map<string, Watched>();

  constructor(private readonly engine: Engine) {}

  /** After a load. A positive `ttl`, in seconds, takes precedence over `unload`. */
  loaded(id: string, ttl: number | null, unload: boolean): void {
    const seconds = ttl !== null && ttl > 0 ? ttl : unload ? DEFAULT_SECONDS : Infinity;
    this.#watch(id, seconds * 1000);
  }

  /** After a use. A positive `ttl` is the limit from now on. */
  used(id: string, ttl: number | null): void {
    const known = this.#watched.get(id)?.idleMs ?? DEFAULT_SECONDS * 1000;
    this.#watch(id, ttl !== null && ttl > 0 ? ttl * 1000 : known);
  }

  forget(id: string): void {
    this.#watched.delete(id);
  }

  #watch(id: string, idleMs: number): void {
    const lastUsed = performance.now();
    const watched = this.#watched.get(id) ?? { idleMs, lastUsed, wakesAt: Infinity };
    Object.assign(watched, { idleMs, lastUsed });
    this.#watched.set(id, watched);
    // A timer that fires earlier sees the new limit by itself.
    if (lastUsed + idleMs >= watched.wakesAt) return;
    this.#unloadWhenIdle(id, watched).catch(() => {
      // The simulator was closed.
    });
  }

  async #unloadWhenIdle(id: string, watched: Watched): Promise<void> {
    const { store, clock } = this.engine;
    for (;;) {
      const left = watched.lastUsed + watched.idleMs - performance.now();
      if (this.#watched.get(id) !== watched || left === Infinity) return;
      const inUse = store.sessions(id) > 0;
      if (left <= 0 && !inUse) break;
      // A generation that runs now ends later than now.
      const wait = Math.min(inUse ? Math.max(left, watched.idleMs, 1) : left, LONGEST_TIMER_MS);
      watched.wakesAt = performance.now() + wait;
      await clock.sleep(wait);
    }
    this.forget(id);
    const model = store.all.find((known) => known.id === id);
    if (model !== undefined && store.isLoaded(id)) this.engine.unload(model);
  }
}
