import type { SimulatedModel } from "../../models/model.js";
import type { DialectContext } from "../dialect.js";

/** The process is gone, and with it whoever waited for an answer. */
export class ProcessDied extends Error {}

/** Models going into memory and out of it: nothing waits for anything, and nothing is looked after. */
export class Memory {
  readonly #loads = new Map<string, Promise<boolean>>();
  /** Models that were taken away under a generation that still runs. */
  readonly #missing = new Set<string>();

  constructor(private readonly context: DialectContext) {}

  /** Whether it is in memory then. Goes on when the client gives up; who wants the same waits for it. */
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

  /** At once, whatever uses it: a generation that does is the end of the process. */
  unload(model: SimulatedModel): void {
    const { engine } = this.context;
    if (engine.store.isLoaded(model.id) && engine.store.sessions(model.id) > 0) {
      this.#missing.add(model.id);
    }
    engine.unload(model);
  }

  /** A generation reaches into its model. @throws {ProcessDied} when it is not there any more. */
  touch(model: SimulatedModel): void {
    if (this.#missing.has(model.id)) this.die();
  }

  die(): never {
    this.#missing.clear();
    this.context.die("crash");
    throw new ProcessDied();
  }
}
