/// <reference lib="esnext.disposable" preserve="true" />
import { EventEmitter, once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Clock } from "../clock.js";
import type { Simulator } from "../simulator.js";
import { Call } from "./call.js";
import { ControlServer, type StandInProcess } from "./control.js";
import { Installation } from "./installation.js";
import { noiseAfter, noiseBefore } from "./output.js";
import { type ProgramFile, programFiles, removeProgram, writeProgram } from "./program.js";
import { serverCommand } from "./server/commands.js";
import { serviceCommand } from "./service/commands.js";
import { type CallTrouble, type FoundryCliSwitches, troubleOf, WELL } from "./switches.js";

/** What {@link startFoundryCli} takes. */
export interface FoundryCliOptions {
  /** `service`: 0.2 to 0.8, `foundry service …`. `server`: 0.10 and later, `foundry server …`. */
  readonly generation: "service" | "server";
  /** The output of `--version`. Default: a version of its generation. */
  readonly version?: string;
  /** The directory of the program; created if it is missing. Default: a new temporary directory. */
  readonly directory?: string;
  /**
   * The directory in which `.foundry` is: `server` writes `daemon.json` there, and both a log.
   * Default: nothing is written.
   */
  readonly home?: string;
  /**
   * The service that it starts and stops, listening already or not; or a function that creates one at
   * first use, which is closed with the stand-in.
   */
  readonly service: Simulator | (() => Promise<Simulator>);
  /** Default: no faults. */
  readonly switches?: Partial<FoundryCliSwitches>;
}

const VERSIONS = { service: "0.8.113+70167233c5", server: "0.10.3" } as const;
const COMMANDS = { service: serviceCommand, server: serverCommand } as const;
/** 128 and SIGABRT, the exit code of a .NET crash. */
const CRASHED = 134;
const CRASH = [
  "Unhandled exception. System.InvalidOperationException: Sequence contains no elements",
  "   at System.Linq.ThrowHelper.ThrowNoElementsException() + 0x34",
  "   at Microsoft.AI.Foundry.Local.Program.<Main>d__0.MoveNext() + 0x2a8",
  "Aborted (core dumped)",
];
const WAIT_MS = 60_000;

/** A `foundry` that can be started like the real one. */
export class FoundryCliStandIn {
  readonly directory: string;
  /** The program for PATH; on Windows the script, which PATH does not find. */
  readonly path: string;
  /** The script, which Node can start on every platform. */
  readonly script: string;
  readonly home: string | null;
  readonly #calls: (readonly string[])[] = [];
  readonly #changes = new EventEmitter();
  readonly #clock = new Clock();
  readonly #control: ControlServer;
  readonly #installation: Installation;
  readonly #generation: FoundryCliOptions["generation"];
  readonly #files: readonly ProgramFile[];
  readonly #ownsDirectory: boolean;
  #switches: FoundryCliSwitches;

  private constructor(parts: Parts) {
    const { options, directory, files } = parts;
    this.#control = parts.control;
    this.#generation = options.generation;
    this.#files = files;
    this.#ownsDirectory = options.directory === undefined;
    this.#switches = { ...WELL, ...options.switches };
    this.directory = directory;
    this.path = files[0]?.path ?? "";
    this.script = files.at(-1)?.path ?? "";
    this.home = options.home ?? null;
    this.#installation = new Installation({
      service: options.service,
      version: options.version ?? VERSIONS[options.generation],
      home: this.home,
      writesDaemonFile: options.generation === "server",
      clock: this.#clock,
      switches: () => this.#switches,
      change: (changes) => this.set(changes),
    });
  }

  /** @internal */
  static async start(options: FoundryCliOptions): Promise<FoundryCliStandIn> {
    let standIn: FoundryCliStandIn | null = null;
    const control = new ControlServer(
      (process) => standIn?.serve(process),
      () => standIn?.changed(),
    );
    const port = await control.listen();
    try {
      const directory =
        options.directory ?? (await mkdtemp(join(tmpdir(), "foundry-local-mcp-cli-")));
      const place = { platform: process.platform, directory, node: process.execPath };
      const files = programFiles(place, port, control.token);
      await writeProgram(directory, files);
      standIn = new FoundryCliStandIn({ options, directory, files, control });
      return standIn;
    } catch (error) {
      await control.close();
      throw error;
    }
  }

  /** The arguments of each call so far. */
  get calls(): readonly (readonly string[])[] {
    return this.#calls;
  }

  /** The number of its live processes, including those that only keep pipes open. */
  get processes(): number {
    return this.#control.processes;
  }

  /** Changes some of its switches. */
  set(changes: Partial<FoundryCliSwitches>): void {
    this.#switches = { ...this.#switches, ...changes };
  }

  /**
   * Resolves when the predicate is true. It is called again whenever a process starts or ends.
   *
   * @param timeoutMs when to reject; default 60 000.
   */
  async waitFor(
    predicate: (standIn: FoundryCliStandIn) => boolean,
    timeoutMs: number = WAIT_MS,
  ): Promise<void> {
    const signal = AbortSignal.timeout(timeoutMs);
    while (!predicate(this)) await once(this.#changes, "changed", { signal });
  }

  /** Ends its processes and removes its files. */
  async close(): Promise<void> {
    this.#clock.close();
    await this.#control.close();
    await this.#installation.close();
    await removeProgram(this.#files);
    if (this.#ownsDirectory) await rm(this.directory, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal */
  changed(): void {
    this.#changes.emit("changed");
  }

  /** @internal */
  serve(process: StandInProcess): void {
    this.#calls.push(process.argv);
    this.changed();
    this.#answer(process).catch((error: unknown) => {
      // Its process or the simulator has ended; any other error is a defect, which must be visible.
      if (process.gone.aborted || this.#clock.signal.aborted) return;
      const text = `the stand-in failed: ${error instanceof Error ? error.stack : String(error)}\n`;
      process.send({ act: "write", stream: 1, base64: Buffer.from(text).toString("base64") });
      process.send({ act: "exit", code: 70 });
    });
  }

  async #answer(process: StandInProcess): Promise<void> {
    const trouble = troubleOf(this.#switches, process.argv);
    const call = new Call(process, trouble);
    if (trouble.ignoresTermination) process.send({ act: "ignoreTermination" });
    if (trouble.delayMs > 0) await call.sleep(trouble.delayMs);
    if (trouble.ends === "hangs_silently") return;
    const code = (await this.#carriedOut(call, trouble)) ?? CRASHED;
    if (trouble.ends === "killed") process.send({ act: "kill" });
    else if (trouble.ends !== "hangs_after_output") {
      process.send({ act: "exit", code: trouble.exitCode ?? code });
    }
  }

  /** The exit code, or `null` when it crashed first. */
  async #carriedOut(call: Call, trouble: CallTrouble): Promise<number | null> {
    if (trouble.ends === "killed") return null;
    if (trouble.ends === "crashes") {
      call.complain(...CRASH);
      return null;
    }
    call.write(noiseBefore(trouble.noise));
    const code = await this.#commanded(call);
    call.write(noiseAfter(trouble.noise));
    return code;
  }

  async #commanded(call: Call): Promise<number> {
    const asksVersion = call.argv.length === 1 && call.has("version");
    if (!asksVersion) return await COMMANDS[this.#generation](call, this.#installation);
    call.print(this.#installation.version);
    return 0;
  }
}

interface Parts {
  readonly options: FoundryCliOptions;
  readonly directory: string;
  readonly files: readonly ProgramFile[];
  readonly control: ControlServer;
}

/**
 * Puts a `foundry` into a directory that behaves like Foundry Local's command line and drives a
 * simulated service.
 *
 * @example
 * await using cli = await startFoundryCli({
 *   generation: "server",
 *   service: () => startSimulator({ dialect: "C1" }),
 * });
 * // spawn(cli.path, ["server", "status", "-o", "json"])
 */
export function startFoundryCli(options: FoundryCliOptions): Promise<FoundryCliStandIn> {
  return FoundryCliStandIn.start(options);
}
