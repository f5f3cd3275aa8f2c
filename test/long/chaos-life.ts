import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  type FoundryCliStandIn,
  type Simulator,
  startFoundryCli,
  startSimulator,
} from "foundry-local-simulator";
import { onTestFinished } from "vitest";
import { FoundryMachine, type Installation } from "../e2e/foundry-machine.js";
import type { Chance } from "./chance.js";

export interface Lives {
  /** The services that take turns on the machine; mostly only one. */
  readonly installations: readonly [Installation, ...Installation[]];
  readonly autostart: boolean;
}

const LONGEST_START_MS = 60_000;

/** Repeats its prompt. */
export const SAYS = "tells-its-prompt-generic-cpu:1";
/** Takes a moment to load. */
export const LOADS = "loads-for-a-while-generic-cpu:2";
export const answerTo = (prompt: string): string =>
  `You said ${prompt}, and this is what there is to say to that: one, two, three, four, five, six, seven.`;
const MODELS = [
  {
    id: SAYS,
    script: (seen: { text: string }) => ({ text: answerTo(seen.text) }),
    tokensPerSecond: 1000,
  },
  { id: LOADS, script: { text: "Loaded." }, loadMs: 60 },
];

/** The addresses of the service, with their times. */
interface Stay {
  readonly url: string;
  readonly dialect: string;
  readonly from: number;
  to: number;
}

/** A service with the command line that drives it. */
interface Commanded {
  readonly dialect: string;
  readonly simulator: Simulator;
  readonly cli: FoundryCliStandIn;
}

async function commanded(
  { dialect, generation }: Installation,
  simulator: Simulator,
  home: string,
): Promise<Commanded> {
  const cli = await startFoundryCli({ generation, home, service: simulator });
  onTestFinished(() => cli.close());
  return { dialect, simulator, cli };
}

/** The service of a machine, which crashes and comes back, with its command line. */
export class ServiceLife {
  readonly stays: Stay[] = [];
  #turn = 0;

  private constructor(
    readonly machine: FoundryMachine,
    /** The command line, whichever service is installed now. */
    readonly program: string,
    readonly autostart: boolean,
    readonly services: readonly Commanded[],
  ) {}

  static async start({ installations, autostart }: Lives): Promise<ServiceLife> {
    const [first, ...others] = installations;
    const { dialect } = first;
    const machine = await FoundryMachine.start({
      dialect,
      generation: null,
      simulator: { models: MODELS },
    });
    const { home } = machine;
    const services = [await commanded(first, machine.simulator, home)];
    for (const other of others) {
      const simulator = await startSimulator({
        dialect: other.dialect,
        models: MODELS,
        modelCachePath: join(home, other.dialect),
      });
      onTestFinished(() => simulator.close());
      await simulator.stop();
      services.push(await commanded(other, simulator, home));
    }
    const life = new ServiceLife(machine, join(machine.home, "foundry.mjs"), autostart, services);
    await life.#install();
    life.#arrived();
    return life;
  }

  get now(): Commanded {
    const service = this.services[this.#turn];
    if (service === undefined) throw new Error("there is no such service");
    return service;
  }

  get url(): string {
    return this.now.simulator.url;
  }

  async crash(): Promise<void> {
    const { simulator } = this.now;
    const stay = this.stays.at(-1);
    await simulator.stop();
    if (stay !== undefined) stay.to = performance.now();
    // The loaded models are lost with it.
    for (const id of simulator.loaded) simulator.setLoaded(id, false);
  }

  async comeBack(chance: Chance): Promise<void> {
    const { port } = this.now.simulator;
    this.#turn = chance.oneOf(this.services.length);
    await this.#install();
    const { simulator } = this.now;
    if (this.autostart) await this.#isStarted(simulator);
    else await simulator.start(chance.oneOf(3) === 0 ? port : 0);
    this.#arrived();
  }

  /** Whether it was away at any time in between. */
  wasAway(from: number, to: number): boolean {
    return !this.stays.some((stay) => stay.from <= from && stay.to >= to);
  }

  staysBetween(from: number, to: number): Stay[] {
    return this.stays.filter((stay) => stay.from <= to && stay.to >= from);
  }

  /** Waits until the service is started. The former service's command line may have started that one. */
  async #isStarted(awaited: Simulator): Promise<void> {
    const since = this.stays.at(-1)?.to ?? 0;
    while (!awaited.listening) {
      for (const { simulator, dialect } of this.services) {
        if (simulator === awaited || !simulator.listening) continue;
        const stay = { url: simulator.url, dialect, from: since, to: Infinity };
        this.stays.push(stay);
        await simulator.stop();
        stay.to = performance.now();
      }
      if (performance.now() - since > LONGEST_START_MS) throw new Error("not started in time");
      await delay(20);
    }
  }

  #arrived(): void {
    const { simulator, dialect } = this.now;
    this.stays.push({ url: simulator.url, dialect, from: performance.now(), to: Infinity });
  }

  /** Replaces the command line by that of the service that is installed now. */
  async #install(): Promise<void> {
    const text = await readFile(this.now.cli.script, "utf8");
    await writeFile(`${this.program}.new`, text);
    await rename(`${this.program}.new`, this.program);
  }
}
