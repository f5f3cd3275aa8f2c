import type { SimulatedModel } from "../../models/model.js";
import type { DialectContext } from "../dialect.js";

/** The process is gone, and with it the connections that waited for an answer. */
export class ProcessDied extends Error {}

/** Loads and unloads of C1: nothing waits for a running load, and nothing protects a model in use. */
export class Memory {
  readonly #loads = new Map<string, Promise<boolean>>();
  /** Models that were unloaded under a generation that still runs. */
  readonly #missing = new Set<string>();

  constructor(private readonly context: DialectContext) {}

  /** Resolves to whether it is in memory then. Loads of the same model share one, which goes on when its client disconnects. */
  load(model: SimulatedModel): Promise<boolean> {
    const { store } = this.context.engine;
    if (store.isLoaded(model.id)) return Promise.resolve(true);
    if (!model.downloaded) return Promise.resolve(false);
    const running = this.#loads.get(model.id);
    if (running !== undefined) return running;
    const load = this.context.engine.load(model).then((failure) => failure === null);
    this.#loads.set(model.id, load);
    const over = () => this.#loads.delete(model.id);
    load.then(over, over);
    return load;
  }

  /** At once, also while it generates, which then kills the process. */
  unload(model: SimulatedModel): void {
    const { engine } = this.context;
    if (engine.store.isLoaded(model.id) && engine.store.sessions(model.id) > 0) {
      this.#missing.add(model.id);
    }
    engine.unload(model);
  }

  /** Called for each token. @throws {ProcessDied} when the model was unloaded under the generation. */
  touch(model: SimulatedModel): void {
    if (this.#missing.has(model.id)) this.die();
  }

  die(): never {
    this.#missing.clear();
    this.context.die("crash");
    throw new ProcessDied();
  }
}
