import { rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import {
  type FoundryCliOptions,
  type FoundryCliStandIn,
  type Simulator,
  type SimulatorOptions,
  startFoundryCli,
  startSimulator,
} from "foundry-local-simulator";
import { onTestFinished } from "vitest";
import { ownPort } from "../ports.js";
import { temporaryFolder } from "../temporary-folder.js";
import type { Settings } from "./executable.js";
import { Host } from "./host.js";
import { MODELS } from "./simulated.js";

/** The services, each with its command line. */
export const INSTALLATIONS = [
  { dialect: "S", generation: "service" },
  { dialect: "C1", generation: "server" },
  { dialect: "C2", generation: "server" },
] as const;
export type Installation = (typeof INSTALLATIONS)[number];

export interface MachineOptions {
  readonly dialect: Installation["dialect"];
  /** `null`: no command line is installed. */
  readonly generation: FoundryCliOptions["generation"] | null;
  /** Default `true`. */
  readonly isRunning?: boolean;
  readonly switches?: FoundryCliOptions["switches"];
  readonly simulator?: Partial<SimulatorOptions>;
}

/** A user's machine with a Foundry Local on it, and nothing set. It ends with the test. */
export class FoundryMachine {
  constructor(
    readonly home: string,
    readonly simulator: Simulator,
    readonly cli: FoundryCliStandIn | null,
  ) {}

  static async start(options: MachineOptions): Promise<FoundryMachine> {
    const home = await temporaryFolder("foundry-local-mcp-machine-");
    const simulator = await startSimulator({
      port: await ownPort(),
      dialect: options.dialect,
      models: MODELS,
      modelCachePath: join(home, ".foundry", "cache", "models"),
      ...options.simulator,
    });
    onTestFinished(() => simulator.close());
    if (options.isRunning === false) await simulator.stop();
    const { generation, switches = {} } = options;
    if (generation === null) return new FoundryMachine(home, simulator, null);
    const cli = await startFoundryCli({ generation, home, service: simulator, switches });
    onTestFinished(() => cli.close());
    return new FoundryMachine(home, simulator, cli);
  }

  /** The environment that a host on this machine passes to the server, with the user's settings. */
  settings(set: Settings = {}): Settings {
    const { home, cli } = this;
    // Nothing stands in for an .exe, so on Windows the program is named.
    const named = cli !== null && process.platform === "win32" ? { FOUNDRY_CLI: cli.script } : {};
    // The system's own programs, but no installed ones.
    const system = process.platform === "win32" ? [] : ["/usr/bin", "/bin"];
    const path = [cli?.directory ?? home, ...system].join(delimiter);
    return { HOME: home, USERPROFILE: home, PATH: path, ...named, ...set };
  }

  async host(set: Settings = {}): Promise<Host> {
    const host = await Host.start(this.settings(set));
    onTestFinished(() => host.close());
    return host;
  }

  /** As if the daemon had never written its file. */
  forgetDaemon(): Promise<void> {
    return rm(join(this.home, ".foundry", "daemon.json"), { force: true });
  }

  /** The service ends and comes back on another port, as after a restart. */
  async restartElsewhere(): Promise<void> {
    await this.simulator.stop();
    await this.simulator.start(0);
  }
}
