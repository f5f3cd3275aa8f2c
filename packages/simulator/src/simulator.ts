/// <reference lib="esnext.disposable" preserve="true" />
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
import { SAMPLE_CATALOG, SAMPLE_WITH_LOADED } from "./models/sample-catalog.js";
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
/** A shutdown closes the port after this; connections until then are reset. */
const LAST_CONNECTIONS_MS = 100;
/**
 * Ports that users pin and clients probe: port 0 must not give one of them, or another user's client
 * finds the simulator there. 39839 is in the ephemeral range of Linux.
 */
const PINNED_PORTS: ReadonlySet<number> = new Set([5272, 5273, 5764, 22334, 39839]);
/** The default timeout of {@link Simulator.waitFor}. */
const WAIT_MS = 60_000;

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
  /** The simulated process ended by itself: no model is loaded after its next start. */
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
    const sample = checked.answers.length > 0 ? SAMPLE_WITH_LOADED : SAMPLE_CATALOG;
    const models = (checked.models ?? sample).map(toModel);
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

  /** The model cache that it reports. It exists only when the options name it. */
  get modelCachePath(): string {
    return this.#modelCachePath ?? join("/nonexistent", ".foundry", "cache", "models");
  }

  /** Whether it accepts connections. */
  get listening(): boolean {
    return this.#server !== null;
  }

  /**
   * The last 10 000 requests, in order. Requests whose head was too long are not among them.
   */
  get requests(): readonly ReceivedRequest[] {
    return this.#log.requests;
  }

  get models(): readonly SimulatedModel[] {
    return this.#store.all;
  }

  /** Ids of the models in memory. */
  get loaded(): readonly string[] {
    return this.#store.loaded.map(({ id }) => id);
  }

  /** The number of running generations, also of those whose client has left. */
  get generating(): number {
    return this.#engine.generating;
  }

  /** The number of open connections. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Loads or unloads a model at once, also while it is in use. */
  setLoaded(id: string, loaded: boolean): void {
    this.#store.setLoaded(id, loaded);
    this.#log.changed();
  }

  /** Unloads every model and abandons the loads in flight, as the end of a process does. */
  emptyMemory(): void {
    this.#engine.emptyMemory();
  }

  /** Marks a model as downloaded or removed, as another program does that shares the model cache. */
  setDownloaded(id: string, downloaded: boolean): void {
    const model = this.#store.setDownloaded(id, downloaded);
    if (this.#modelCachePath !== null) {
      if (downloaded) writeModelFolder(this.#modelCachePath, model);
      else removeModelFolder(this.#modelCachePath, model);
    }
    this.#log.changed();
  }

  /**
   * Applies a fault to the requests from now on. Of several faults that match, the first that was added acts.
   *
   * @param fault an object, or the text that the command line takes: `kind,setting=value,…`.
   * @returns a function that removes the fault.
   * @throws when the kind is unknown, or a setting is not one of that kind's.
   * @example simulator.addFault({ kind: "status", status: 503, on: { path: "/v1/*" }, times: 2 });
   */
  addFault(fault: Fault | string): () => void {
    return this.#faults.add(fault);
  }

  /**
   * Resolves when the predicate returns a value. It is called again after each change: a request comes
   * or ends, a token is made, a model is loaded.
   *
   * @param timeoutMs when to reject; default 60 000.
   * @example await simulator.waitFor((s) => s.requests.find((r) => r.endedBy === "client-gone"));
   */
  waitFor<T>(
    predicate: (simulator: Simulator) => T,
    timeoutMs: number = WAIT_MS,
  ): Promise<Exclude<T, undefined | null | false>> {
    return this.#log.waitFor(() => predicate(this), timeoutMs);
  }

  /**
   * Listens, for the first time or after a stop.
   *
   * @param port default: the port as before; 0 takes a free one.
   */
  async start(port: number = this.#port): Promise<void> {
    await this.#closed;
    if (this.#clock.signal.aborted) throw new Error("the simulator was closed");
    if (this.#server !== null) throw new Error("the simulator is listening already");
    let server = await this.#listen(port);
    if (port === 0 && PINNED_PORTS.has(portOf(server))) {
      // The second port is taken before the first is freed, so that they differ.
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
   * Closes the port and resets every connection; {@link start} listens again. Models stay loaded, as
   * after a network failure; {@link emptyMemory} unloads them.
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

  /** Stops for good. */
  async close(): Promise<void> {
    this.#clock.close();
    await this.stop();
    await this.#closed;
    this.#log.close();
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
      // Closing ends all waits. Any other error is a defect, which must be visible but must not end
      // the process with the other requests.
      if (!this.#clock.signal.aborted) process.emitWarning(asError(error));
    });
  }

  /** The simulated process ends by itself; {@link start} restarts it. */
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
  if (address === null || typeof address === "string")
    throw new Error("the server does not listen");
  return address.port;
}
