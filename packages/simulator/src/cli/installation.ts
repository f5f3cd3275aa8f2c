import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../clock.js";
import type { Simulator } from "../simulator.js";
import type { FoundryCliSwitches } from "./switches.js";

/** The version of ONNX Runtime in `daemon.json`. */
const ORT_VERSION = "1.26.0";
/** An unassigned port below the ephemeral range, which clients do not block. */
const DEAD_URL = "http://127.0.0.1:4";
/** The default port of the older service (#146). */
const OLD_DEFAULT_PORT = 5273;

/** The state of the service as the command line reports it, true or not. */
export type Report =
  | { readonly kind: "ready"; readonly url: string; readonly startedAt: Date }
  | { readonly kind: "initializing" }
  /** With the stale address, if there is one. */
  | { readonly kind: "stopped"; readonly staleUrl: string | null }
  | { readonly kind: "unreachable" };

export type Started =
  | { readonly kind: "started" | "already"; readonly url: string }
  | { readonly kind: "port_in_use"; readonly url: string }
  | { readonly kind: "failed" };

export interface InstallationOptions {
  readonly service: Simulator | (() => Promise<Simulator>);
  readonly version: string;
  /** Where `.foundry` is; `null`: nothing is written. */
  readonly home: string | null;
  /** The newer generation writes the address of its service to a file. */
  readonly writesDaemonFile: boolean;
  readonly clock: Clock;
  readonly switches: () => FoundryCliSwitches;
  /** Called when a restart has cured a fault. */
  readonly change: (changes: Partial<FoundryCliSwitches>) => void;
}

/** An installed Foundry Local: the service that the commands control, and their state. */
export class Installation {
  readonly version: string;
  readonly home: string | null;
  /** The progress of abandoned downloads, in percent. */
  readonly partial = new Map<string, number>();
  /** `null`: a free port at each start. */
  port: number | null = null;
  readonly #options: InstallationOptions;
  #simulator: Simulator | null;
  #made: Promise<Simulator> | null = null;
  #startedAt = new Date();
  /**
   * `dead`: it started without a listener. `orphaned`: it listens, though it was stopped. `coming`: its
   * address was printed, and it does not listen yet.
   */
  #oddity: "dead" | "orphaned" | "coming" | null = null;
  #stops = 0;
  #lag = 0;
  #starting: Promise<Started> | null = null;
  readonly #lines: string[] = [];

  constructor(options: InstallationOptions) {
    this.#options = options;
    this.version = options.version;
    this.home = options.home;
    this.#simulator = typeof options.service === "function" ? null : options.service;
    if (this.#listens) this.#record();
  }

  get switches(): FoundryCliSwitches {
    return this.#options.switches();
  }

  /** It is reported as ready, at an address where nothing listens. */
  get dead(): boolean {
    return this.#oddity === "dead" || this.switches.status === "dead_listener";
  }

  get pid(): number {
    return this.switches.pid ?? process.pid;
  }

  /** The service; created, but not started, at the first call. */
  simulator(): Promise<Simulator> {
    this.#made ??= this.#make();
    return this.#made;
  }

  /** The answer to a status query, which is counted. */
  report(): Report {
    const { status } = this.switches;
    const lastUrl = this.#simulator?.url ?? null;
    if (status === "broken_ipc") return { kind: "unreachable" };
    if (status === "says_stopped") return { kind: "stopped", staleUrl: lastUrl };
    if (this.#lag > 0) {
      this.#lag -= 1;
      return { kind: "stopped", staleUrl: null };
    }
    if (status === "dead_listener") {
      const url = this.#listens || lastUrl === null ? DEAD_URL : lastUrl;
      return { kind: "ready", url, startedAt: this.#startedAt };
    }
    if (this.dead) return { kind: "ready", url: DEAD_URL, startedAt: this.#startedAt };
    if (this.#starting !== null || this.#oddity === "coming") return { kind: "initializing" };
    if (!this.#listens || this.#oddity === "orphaned") return { kind: "stopped", staleUrl: null };
    return { kind: "ready", url: lastUrl ?? DEAD_URL, startedAt: this.#startedAt };
  }

  /** Concurrent starts share one, which goes on when its command is killed. */
  start(port: number | null = this.port): Promise<Started> {
    this.#starting ??= this.#start(port).finally(() => {
      this.#starting = null;
    });
    return this.#starting;
  }

  async stop(): Promise<void> {
    const { stop, daemonFileAfterStop, status } = this.switches;
    // Both are gone after a restart.
    if (status === "dead_listener" || status === "broken_ipc") {
      this.#options.change({ status: "truth" });
    }
    this.#lag = 0;
    this.#stops += 1;
    this.#log("stopping");
    if (daemonFileAfterStop === "removed") this.#removeDaemonFile();
    this.#oddity = stop === "leaves_service" && this.#listens ? "orphaned" : null;
    if (stop === "works" && this.#simulator !== null) await this.#end(this.#simulator);
  }

  /** Closes a service that it created, and not one that it was given. */
  async close(): Promise<void> {
    if (typeof this.#options.service === "function") await (await this.#made)?.close();
  }

  get logLines(): readonly string[] {
    return this.#lines;
  }

  get #listens(): boolean {
    return this.#simulator?.listening ?? false;
  }

  async #make(): Promise<Simulator> {
    const { service } = this.#options;
    if (typeof service !== "function") return service;
    const simulator = await service();
    // It listens from its first start on.
    await simulator.stop();
    this.#simulator = simulator;
    return simulator;
  }

  async #start(port: number | null): Promise<Started> {
    const { start, startMs, startReturns } = this.switches;
    const simulator = await this.simulator();
    // Only a restart helps: the command line considers it as running.
    if (this.dead) return { kind: "already", url: DEAD_URL };
    const isOrphaned = this.#oddity === "orphaned";
    if (this.#listens && !isOrphaned) return { kind: "already", url: simulator.url };
    const wanted = `http://127.0.0.1:${port ?? OLD_DEFAULT_PORT}`;
    if (start === "port_in_use") return { kind: "port_in_use", url: wanted };
    if (start === "fails") return { kind: "failed" };
    if (isOrphaned) {
      // A real orphan would go on beside the new service; here it moves to the new port.
      if (port !== null && port === simulator.port) return { kind: "port_in_use", url: wanted };
      await this.#end(simulator);
      this.#oddity = null;
    }
    if (startReturns === "when_listening") await this.#options.clock.sleep(startMs);
    if (start === "comes_up_dead") {
      await this.#end(simulator);
      this.#oddity = "dead";
      return this.#up(DEAD_URL);
    }
    try {
      await simulator.start(port ?? 0);
    } catch (error) {
      if (isPortInUse(error)) return { kind: "port_in_use", url: wanted };
      throw error;
    }
    if (startReturns === "at_once") await this.#listenLater(simulator, startMs);
    return this.#up(simulator.url);
  }

  /** The models are unloaded, as by the end of a process. */
  async #end(simulator: Simulator): Promise<void> {
    await simulator.stop();
    simulator.emptyMemory();
  }

  /** The address is printed before the service listens. */
  async #listenLater(simulator: Simulator, afterMs: number): Promise<void> {
    const { port } = simulator;
    await simulator.stop();
    this.#oddity = "coming";
    const stops = this.#stops;
    this.#options.clock
      .sleep(afterMs)
      .then(async () => {
        if (stops === this.#stops) await simulator.start(port);
      })
      // Closed, or already started by other means.
      .catch(() => {})
      .finally(() => {
        if (stops === this.#stops && this.#oddity === "coming") this.#oddity = null;
      });
  }

  #up(url: string): Started {
    this.#startedAt = new Date();
    this.#lag = this.switches.statusLagCalls;
    this.#record(url);
    return { kind: "started", url };
  }

  #record(url = this.#simulator?.url ?? DEAD_URL): void {
    this.#log(`listening on ${url}`);
    if (this.home === null || !this.#options.writesDaemonFile) return;
    mkdirSync(join(this.home, ".foundry"), { recursive: true });
    const content = {
      web_urls: [url],
      pid: this.pid,
      daemon_version: this.version,
      ort_version: ORT_VERSION,
    };
    writeFileSync(join(this.home, ".foundry", "daemon.json"), `${JSON.stringify(content)}\n`);
  }

  #removeDaemonFile(): void {
    if (this.home !== null) rmSync(join(this.home, ".foundry", "daemon.json"), { force: true });
  }

  #log(what: string): void {
    const line = `${new Date().toISOString()} [INF] ${what}`;
    this.#lines.push(line);
    if (this.home === null) return;
    const folder = join(this.home, ".foundry", "logs");
    mkdirSync(folder, { recursive: true });
    appendFileSync(join(folder, "foundry.log"), `${line}\n`);
  }
}

const isPortInUse = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "EADDRINUSE";
