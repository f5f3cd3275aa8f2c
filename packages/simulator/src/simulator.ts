import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { Clock } from "./clock.js";
import { c1 } from "./dialects/c1/c1.js";
import { c2 } from "./dialects/c2/c2.js";
import { core2Version, NEWEST_C2 } from "./dialects/c2/version.js";
import type { Dialect, DialectContext } from "./dialects/dialect.js";
import { openai } from "./dialects/openai/openai.js";
import { s } from "./dialects/s/s.js";
import { Engine } from "./engine/engine.js";
import { Faults } from "./faults/armed.js";
import type { Fault } from "./faults/fault.js";
import { type SimulatedModel, toModel } from "./models/model.js";
import { removeModelFolder, writeModelCache, writeModelFolder } from "./models/modelinfo-file.js";
import { SAMPLE_CATALOG } from "./models/sample-catalog.js";
import { ModelStore } from "./models/store.js";
import { checkedOptions, type DialectName, type SimulatorOptions } from "./options.js";
import { type ReceivedRequest, RequestLog } from "./received.js";
import { answerExchange } from "./serve.js";
import { serveConnection } from "./wire/connection.js";

const MAKERS: Readonly<Record<DialectName, (context: DialectContext) => Dialect>> = {
  S: s,
  C1: c1,
  C2: c2,
  openai,
};
/** A shutdown closes the port a moment later; who connects until then is reset. */
const LAST_CONNECTIONS_MS = 100;
/**
 * Ports that people pin, where clients look by themselves: one that only wanted any free port must not
 * be found there by somebody else's client. 39839 is among those that Linux gives out.
 */
const PINNED_PORTS: ReadonlySet<number> = new Set([5272, 5273, 5764, 22334, 39839]);
/** Longest that {@link Simulator.waitFor} waits unless it is told otherwise. */
const WAIT_MS = 10_000;

/**
 * A service on a real socket.
 *
 * @example
 * const simulator = await startSimulator({ version: "2.0.1", tokensPerSecond: 20 });
 * await fetch(`${simulator.url}/models/load/qwen2.5-0.5b`);
 * await simulator.close();
 */
export class Simulator {
  readonly #clock = new Clock();
  readonly #log = new RequestLog();
  readonly #faults = new Faults();
  readonly #sockets = new Set<Socket>();
  readonly #answering = new Set<Socket>();
  readonly #store: ModelStore;
  readonly #engine: Engine;
  readonly #dialect: Dialect;
  readonly #host: string;
  readonly #modelCachePath: string | null;
  #server: Server | null = null;
  /** It ended by itself, as a process does: its next start begins with an empty memory. */
  #ended = false;
  /** When the port is free again after the service ended by itself. */
  #closed: Promise<void> = Promise.resolve();
  #port: number;
  #connections = 0;

  constructor(options: SimulatorOptions) {
    const checked = checkedOptions(options);
    this.#host = checked.host;
    this.#port = checked.port;
    const version = core2Version(checked.version ?? NEWEST_C2);
    const models = (checked.models ?? SAMPLE_CATALOG).map(toModel);
    const plain = checked.dialect === "openai";
    const served = plain ? models.filter((model) => model.downloaded) : models;
    this.#store = new ModelStore(
      served.map((model) => (plain ? { ...model, loaded: true } : model)),
    );
    this.#engine = new Engine(this.#store, this.#clock, this.#log, checked, checked.answers);
    this.#modelCachePath = checked.modelCachePath ?? null;
    if (checked.modelCachePath !== undefined) {
      const properties = checked.dialect === "C2" && version.localCatalogFamily;
      writeModelCache(checked.modelCachePath, models, properties);
    }
    const context: DialectContext = {
      engine: this.#engine,
      version,
      switches: checked.switches ?? {},
      url: () => this.url,
      modelCachePath: this.modelCachePath,
      apiKey: checked.apiKey ?? null,
      setDownloaded: (id, downloaded) => this.setDownloaded(id, downloaded),
      die: (how) => this.#die(how),
    };
    this.#dialect = MAKERS[checked.dialect](context);
  }

  /** Without a slash at the end. Changes when it is started on another port. */
  get url(): string {
    const host = this.#host.includes(":") ? `[${this.#host}]` : this.#host;
    return `http://${host}:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** What it names as its model cache. Nothing is there unless the options named it. */
  get modelCachePath(): string {
    return this.#modelCachePath ?? join("/nonexistent", ".foundry", "cache", "models");
  }

  /** Whether it accepts connections. */
  get listening(): boolean {
    return this.#server !== null;
  }

  /**
   * The requests in order, the last 10 000 of them. Those that were cut off for their length are not
   * among them.
   */
  get requests(): readonly ReceivedRequest[] {
    return this.#log.requests;
  }

  get models(): readonly SimulatedModel[] {
    return this.#store.all;
  }

  /** Ids of the models in memory. */
  get loaded(): readonly string[] {
    return this.#store.all.map(({ id }) => id).filter((id) => this.#store.isLoaded(id));
  }

  /** Generations that run now, whether or not anybody listens. */
  get generating(): number {
    return this.#engine.generating;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Puts a model into memory or out of it, at once, whatever uses it. */
  setLoaded(id: string, loaded: boolean): void {
    this.#store.setLoaded(id, loaded);
    this.#log.changed();
  }

  /** What the end of a process takes with it: no model is loaded, and loads under way are abandoned. */
  emptyMemory(): void {
    this.#engine.emptyMemory();
  }

  /** A model was downloaded, or its files were removed, by other means than the service. */
  setDownloaded(id: string, downloaded: boolean): void {
    const model = this.#store.setDownloaded(id, downloaded);
    if (this.#modelCachePath !== null) {
      if (downloaded) writeModelFolder(this.#modelCachePath, model);
      else removeModelFolder(this.#modelCachePath, model);
    }
    this.#log.changed();
  }

  /**
   * Makes requests fail from now on. Of several faults that match, the first that was added acts.
   *
   * @param fault as an object, or as the text that the command takes, `kind,setting=value,…`.
   * @returns what takes it back.
   * @throws when the kind is unknown, or a setting is not one of that kind's.
   * @example simulator.addFault({ kind: "status", status: 503, on: { path: "/v1/*" }, times: 2 });
   */
  addFault(fault: Fault | string): () => void {
    return this.#faults.add(fault);
  }

  /**
   * Resolves when the predicate gives something, asked again whenever anything changes: a request
   * comes or ends, a token is made, a model is loaded.
   *
   * @param timeoutMs rejects after that; default 10 000.
   * @example await simulator.waitFor((s) => s.requests.find((r) => r.endedBy === "client-gone"));
   */
  waitFor<T>(
    predicate: (simulator: Simulator) => T,
    timeoutMs: number = WAIT_MS,
  ): Promise<Exclude<T, undefined | null | false>> {
    return this.#log.waitFor(() => predicate(this), timeoutMs);
  }

  /**
   * Listens (again).
   *
   * @param port default: the one it has; 0 takes another that is free.
   */
  async start(port: number = this.#port): Promise<void> {
    await this.#closed;
    if (this.#server !== null) throw new Error("the simulator is listening already");
    let server = await this.#listen(port);
    if (port === 0 && PINNED_PORTS.has(portOf(server))) {
      // Taken before the other is given back, so that it is another one.
      const taken = server;
      server = await this.#listen(0);
      taken.close();
    }
    this.#port = portOf(server);
    if (this.#ended) this.emptyMemory();
    this.#ended = false;
    this.#server = server;
  }

  async #listen(port: number): Promise<Server> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#accept(socket),
    );
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, this.#host, resolve);
    });
    return server;
  }

  /**
   * Closes the port and breaks every connection; {@link start} starts it again. Models stay loaded,
   * as if only the network had gone: {@link emptyMemory} makes it the end of a process.
   */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    this.#log.die();
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    this.#log.changed();
  }

  /** Ends everything; it cannot be started again. */
  async close(): Promise<void> {
    this.#clock.close();
    await this.stop();
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #accept(socket: Socket): void {
    if (!this.listening) {
      socket.resetAndDestroy();
      return;
    }
    this.#sockets.add(socket);
    this.#connections += 1;
    const connection = this.#connections;
    // A broken connection is noticed by its close.
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#sockets.delete(socket);
      this.#log.changed();
    });
    const tools = {
      dialect: this.#dialect,
      faults: this.#faults,
      log: this.#log,
      clock: this.#clock,
    };
    this.#log.changed();
    serveConnection(socket, this.#dialect.profile, async (exchange) => {
      this.#answering.add(socket);
      try {
        return (await answerExchange(exchange, connection, tools)) && this.listening;
      } finally {
        this.#answering.delete(socket);
      }
    }).catch((error: unknown) => {
      socket.destroy();
      // Waiting is cut short by closing; anything else is a defect and must be seen, but no request
      // may end the process, with all that others are asking of it.
      if (!this.#clock.signal.aborted) process.emitWarning(asError(error));
    });
  }

  /** The service ends by itself; {@link start} brings it back. */
  #die(how: "crash" | "shutdown"): void {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    this.#ended = true;
    if (how === "crash") this.#log.die();
    for (const socket of this.#sockets) {
      if (how === "crash") socket.destroy();
      else if (!this.#answering.has(socket)) socket.end();
    }
    this.#closed = this.#closePort(server, how === "crash" ? 0 : LAST_CONNECTIONS_MS);
    this.#log.changed();
  }

  async #closePort(server: Server, afterMs: number): Promise<void> {
    await this.#clock.sleep(afterMs).catch(() => {});
    server.close();
  }
}

const asError = (thrown: unknown): Error =>
  thrown instanceof Error ? thrown : new Error(String(thrown));

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it does not listen");
  return address.port;
}
