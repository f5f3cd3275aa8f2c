import { LONGEST_TIMER_MS } from "../../clock.js";
import type { Engine } from "../../engine/engine.js";
import type { SimulatedModel } from "../../models/model.js";
import { Mutex } from "../../mutex.js";
import type { WholeAnswer } from "../../wire/http.js";
import { empty, Refusal } from "../answers.js";
import type { DialectContext } from "../dialect.js";
import { SERVICE_SWITCHES, type ServiceSwitches } from "./switches.js";

/** The state of one simulated S. */
export class Service {
  readonly switches: ServiceSwitches;
  readonly engine: Engine;
  readonly idle: IdleUnload;
  /** By the id of the model: those that run, how far each came that ended early, and those that trouble has met. */
  readonly downloads = {
    running: new Set<string>(),
    percent: new Map<string, number>(),
    troubled: new Set<string>(),
  };
  /** Held for the whole of a generation: there is one at a time. */
  readonly turn = new Mutex();
  #answers = 0;
  readonly #forced = new Map<string, number>();

  constructor(readonly context: DialectContext) {
    this.switches = { ...SERVICE_SWITCHES, ...context.switches };
    this.engine = context.engine;
    this.idle = new IdleUnload(this.engine);
  }

  get models(): readonly SimulatedModel[] {
    return this.engine.store.all;
  }

  get downloaded(): readonly SimulatedModel[] {
    return this.models.filter((model) => model.downloaded);
  }

  /** The id as this revision writes it. */
  idOf(model: SimulatedModel): string {
    return this.switches.ids === "versioned" ? model.id : model.name;
  }

  /** The downloaded model of this name; case matters. */
  find(name: string): SimulatedModel | null {
    const exact = this.downloaded.find((model) => model.id === name);
    if (exact !== undefined || this.switches.ids === "versioned") return exact ?? null;
    const newest = this.downloaded.toSorted((a, b) => b.version - a.version);
    return newest.find((model) => model.name === name) ?? null;
  }

  /** Loads a model unless it is loaded. @throws {ServiceError} 500 when that fails. */
  async load(model: SimulatedModel): Promise<void> {
    await this.engine.loadLock.run(async () => {
      if (this.engine.store.isLoaded(model.id)) return;
      const failure = await this.engine.load(model);
      if (failure === null) return;
      throw new ServiceError(500, `Failed loading model ${this.idOf(model)}\n${failure}`);
    });
  }

  /** Unloads a model and ends its generations. */
  unload(model: SimulatedModel): void {
    this.#forced.set(model.id, this.#forcedUnloads(model.id) + 1);
    this.idle.forget(model.id);
    this.engine.unload(model);
  }

  /** Returns a function that says whether the model has been unloaded since. */
  unloadWatch(model: SimulatedModel): () => boolean {
    const before = this.#forcedUnloads(model.id);
    return () => this.#forcedUnloads(model.id) !== before;
  }

  nextAnswerId(): string {
    this.#answers += 1;
    return `chat.id.${this.#answers}`;
  }

  #forcedUnloads(id: string): number {
    return this.#forced.get(id) ?? 0;
  }
}

const DEFAULT_SECONDS = 600;

interface Watched {
  /** `Infinity`: it stays. */
  idleMs: number;
  lastUsed: number;
  /** When its timer fires. */
  wakesAt: number;
}

/** Unloads models that have been idle for a while. */
class IdleUnload {
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

/** An answer other than 200: a text, often empty, and never a JSON envelope. */
export class ServiceError extends Refusal {
  /** The text that clients search for; for unknown models and for those that are not downloaded. */
  static noProvider(status: number, name: string): ServiceError {
    return new ServiceError(status, `No OpenAIService provider found for modelName:${name}`);
  }

  answer(): WholeAnswer {
    const { status, message } = this;
    if (message === "") return empty(status);
    return { status, body: message, contentType: "text/plain; charset=utf-8" };
  }
}
