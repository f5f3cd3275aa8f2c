import type { Engine } from "../../engine/engine.js";
import type { SimulatedModel } from "../../models/model.js";
import { Mutex } from "../../mutex.js";
import type { DialectContext } from "../dialect.js";
import { ServiceError } from "./answers.js";
import { Downloads } from "./downloads.js";
import { IdleUnload } from "./idle-unload.js";
import { SERVICE_SWITCHES, type ServiceSwitches } from "./switches.js";

/** What the routes of one service have in common. */
export class Service {
  readonly switches: ServiceSwitches;
  readonly engine: Engine;
  readonly idle: IdleUnload;
  readonly downloads = new Downloads();
  /** Held for the whole of a generation. */
  readonly turn = new Mutex();
  gpuDevice = 0;
  #answers = 0;
  readonly #forced = new Map<string, number>();

  constructor(readonly context: DialectContext) {
    this.switches = { ...SERVICE_SWITCHES, ...context.changedSwitches };
    this.engine = context.engine;
    this.idle = new IdleUnload(this.engine, this.switches.idleSeconds);
  }

  get models(): readonly SimulatedModel[] {
    return this.engine.store.all;
  }

  get downloaded(): readonly SimulatedModel[] {
    return this.models.filter((model) => model.downloaded);
  }

  /** As this revision writes it. */
  idOf(model: SimulatedModel): string {
    return this.switches.ids === "versioned" ? model.id : model.name;
  }

  /** What is downloaded under this name, in exactly this case; `null`: nothing is. */
  find(name: string): SimulatedModel | null {
    const { ids, takesAlias } = this.switches;
    const exact = this.downloaded.find((model) => model.id === name);
    if (exact !== undefined) return exact;
    const newest = this.downloaded.toSorted((a, b) => b.version - a.version);
    const byName = ids === "unversioned" ? newest.find((model) => model.name === name) : undefined;
    const byAlias = takesAlias ? this.downloaded.find((model) => model.alias === name) : undefined;
    return byName ?? byAlias ?? null;
  }

  /** Puts a model into memory unless it is there. @throws {ServiceError} 500 when it cannot. */
  async load(model: SimulatedModel): Promise<void> {
    await this.engine.loadLock.run(async () => {
      if (this.engine.store.isLoaded(model.id)) return;
      const failure = this.downloads.isCorrupt(model.id)
        ? `Load model from ${model.directory}/model.onnx failed:Protobuf parsing failed.`
        : await this.engine.load(model);
      if (failure === null) return;
      throw new ServiceError(500, `Failed loading model ${this.idOf(model)}\n${failure}`);
    });
  }

  /** Takes a model out of memory, and ends what generates with it. */
  unload(model: SimulatedModel): void {
    this.#forced.set(model.id, this.#forcedUnloads(model.id) + 1);
    this.idle.forget(model.id);
    this.engine.unload(model);
  }

  /** Tells, from now on, whether the model was unloaded under the one who asks. */
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
