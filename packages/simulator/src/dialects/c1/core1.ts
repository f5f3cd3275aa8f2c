import type { SimulatedModel } from "../../models/model.js";
import type { WholeAnswer } from "../../wire/http.js";
import { json, Refusal } from "../answers.js";
import type { DialectContext, DialectRequest } from "../dialect.js";
import type { Core1Switches } from "./switches.js";

/** One simulated C1. */
export interface Core1 {
  readonly context: DialectContext;
  readonly switches: Core1Switches;
  readonly memory: Memory;
}

/** A request whose route was found. */
export interface Call {
  readonly core: Core1;
  readonly request: DialectRequest;
  /** The variable segment of the path, decoded; empty where the route has none. */
  readonly name: string;
}

export type Handler = (call: Call) => Promise<void>;

/** An answer other than 200 that a handler gives, in its envelope. */
export class Core1Error extends Refusal {
  constructor(
    status: number,
    message: string,
    readonly code: string | null = null,
  ) {
    super(status, message);
  }

  answer(): WholeAnswer {
    const { message, code } = this;
    const type = this.status >= 500 ? "server_error" : "invalid_request_error";
    return json({ error: { message, type, code } }, this.status);
  }
}

/** A completion that was read and cannot be served. */
export function refusal(reason: string, status: 400 | 500 = 400): Core1Error {
  return new Core1Error(status, `Failed to handle OpenAI completion: ${reason}`);
}

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

/** By id, or by name or alias, which mean the newest version. Case matters. */
export function modelNamed(core: Core1, name: string): SimulatedModel | null {
  const { store } = core.context.engine;
  const exact = store.all.find(({ id }) => id === name);
  const versions = store.all
    .filter((model) => model.name === name)
    .sort((a, b) => Number(b.downloaded) - Number(a.downloaded) || b.version - a.version);
  return exact ?? versions[0] ?? store.selected(name, "public") ?? store.selected(name, "local");
}

/** @throws {Core1Error} the same whether it is unknown, not downloaded or not loaded. */
export function loadedModel(core: Core1, name: string): SimulatedModel {
  if (name === "") throw refusal("Value cannot be null. (Parameter 'Model')");
  const model = modelNamed(core, name);
  if (model !== null && core.context.engine.store.isLoaded(model.id)) return model;
  throw refusal(
    `Model '${name}' is not loaded. Please load the model before getting a ChatClient.`,
  );
}
