import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { Discovery, type DiscoveryOptions } from "../../../src/foundry/discovery/index.js";
import { EmbeddedService } from "../../../src/foundry/embedded/index.js";
import type { Machine } from "../../../src/platform/machine.js";
import { isProcessAlive } from "../../../src/platform/processes.js";
import { temporaryFolder } from "../../temporary-folder.js";

/** What one command of the stand-in does, such as `server status`. */
export interface Command {
  readonly prints?: string;
  /** The outputs of the first runs, one after the other. */
  readonly printsAtFirst?: readonly string[];
  readonly exitCode?: number;
  /** It prints so much later. */
  readonly delayMs?: number;
  /** It never ends by itself. */
  readonly hangs?: boolean;
  /** The behaviour of other commands from then on. */
  readonly afterwards?: Readonly<Record<string, Command>>;
}

/** A home with an optional command line, both removed after the test. */
export class Installation {
  private constructor(readonly home: string) {}

  static async make(): Promise<Installation> {
    const installation = new Installation(await temporaryFolder("home-"));
    onTestFinished(() => installation.#endAll());
    return installation;
  }

  get machine(): Machine {
    // An empty PATH: the programs of this machine must not matter here.
    return { platform: process.platform, arch: "x64", environment: { PATH: "" }, home: this.home };
  }

  get cliPath(): string {
    return join(this.home, "foundry.mjs");
  }

  /** Writes a command line with scripted behaviour for each command. */
  async install(commands: Readonly<Record<string, Command>>): Promise<void> {
    await writeFile(join(this.home, "commands.json"), JSON.stringify(commands));
    await writeFile(this.cliPath, PROGRAM);
  }

  async writeDaemonFile(content: object | string): Promise<void> {
    await mkdir(join(this.home, ".foundry"), { recursive: true });
    const text = typeof content === "string" ? content : JSON.stringify(content);
    await writeFile(join(this.home, ".foundry", "daemon.json"), text);
  }

  /** How often a command was run, each beginning with `command`. */
  async runsOf(command: string): Promise<number> {
    const log = await readFile(join(this.home, "runs.log"), "utf8").catch(() => "");
    return log.split("\n").filter((line) => line.startsWith(command)).length;
  }

  /** Commands that start something are not ended by the client, so hanging ones would remain. */
  async #endAll(): Promise<void> {
    const hanging = await readFile(join(this.home, "hanging.log"), "utf8").catch(() => "");
    for (const pid of hanging.split("\n").map(Number)) {
      if (pid > 0 && isProcessAlive(pid)) process.kill(pid, "SIGKILL");
    }
  }

  /** Searches only with this home's command line, and without long waits. */
  discovery(options: Partial<DiscoveryOptions> = {}): Discovery {
    const discovery = new Discovery({
      machine: this.machine,
      autostart: true,
      embedded: false,
      cliPath: this.cliPath,
      knownPorts: [],
      startTimeoutMs: 120_000,
      embeddedService: new EmbeddedService({ machine: this.machine }),
      ...options,
      timing: {
        // The command line is a script of Node, which takes seconds to start on a loaded machine.
        cliMs: 60_000,
        scanMs: 90_000,
        stoppedMs: 90_000,
        pollMs: 20,
        deadMs: 50,
        afterFailureMs: 10_000,
        failureKeptMs: 0,
        ...options.timing,
      },
    });
    onTestFinished(() => discovery.close());
    return discovery;
  }
}

const PROGRAM = `
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
const file = (name) => new URL(name, import.meta.url);
const args = process.argv.slice(2);
appendFileSync(file("runs.log"), args.join(" ") + "\\n");
const commands = JSON.parse(readFileSync(file("commands.json"), "utf8"));
const name = args.slice(0, 2).join(" ");
const command = commands[name];
if (command === undefined) {
  console.error("Unrecognized command or argument '" + args[0] + "'.");
  process.exit(2);
}
const [first, ...rest] = command.printsAtFirst ?? [];
if (first !== undefined) commands[name] = { ...command, printsAtFirst: rest };
Object.assign(commands, command.afterwards);
if (first !== undefined || command.afterwards !== undefined) {
  writeFileSync(file("commands.json"), JSON.stringify(commands));
}
const text = first ?? command.prints;
if (command.delayMs) await new Promise((resolve) => setTimeout(resolve, command.delayMs));
if (text !== undefined) console.log(text);
if (command.hangs) {
  appendFileSync(file("hanging.log"), process.pid + "\\n");
  setInterval(() => {}, 1000);
}
else process.exitCode = command.exitCode ?? 0;
`;

/** What \`foundry server status -o json\` prints for a running service. */
export const running = (url: string): string =>
  JSON.stringify({ running: true, state: "ready", pid: 1, webUrls: [url] });

export const STOPPED = JSON.stringify({ running: false, state: "not_running" });

/** A process id beyond those that systems assign. */
export const DEAD_PID = 2 ** 30;
