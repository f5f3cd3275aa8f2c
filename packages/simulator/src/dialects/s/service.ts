import type { Engine } from "../../engine/engine.js";
import type { SimulatedModel } from "../../models/model.js";
import { Mutex } from "../../mutex.js";
import type { DialectContext } from "../dialect.js";
import { ServiceError } from "./answers.js";
import { Downloads } from "./downloads.js";
import { IdleUnload } from "./idle-unload.js";
import { SERVICE_SWITCHES, type ServiceSwitches } from "./switches.js";

/** The state of one simulated S. */
export class Service {
  readonly switches: ServiceSwitches;
  readonly engine: Engine;
  readonly idle: IdleUnload;
  readonly downloads = new Downloads();
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
