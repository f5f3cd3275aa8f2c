/**
 * Stands in for the npm package `foundry-local-sdk` in the child process: the same interface, in
 * front of a simulated service instead of the native core. `STAND_IN_SDK` says what goes wrong;
 * whatever it prints, as native code does, goes to stdout.
 */
import { type Simulator, startSimulator } from "foundry-local-simulator";

const failing = process.env["STAND_IN_SDK"] ?? "";

/** Words of foundry-local-sdk 1.2.3, run on Linux x64. */
const REFUSALS: ReadonlyMap<string, string> = new Map([
  [
    "no native libraries",
    "FoundryLocalCorePath not specified in configuration and could not auto-discover binaries. Please run 'npm install' to download native libraries.",
  ],
  [
    "core does not load",
    "Failed to load core library: /somewhere/Microsoft.AI.Foundry.Local.Core.so (/somewhere/Microsoft.AI.Foundry.Local.Core.so: file too short)",
  ],
  [
    "wrong platform",
    "Could not find foundry_local_napi.node for platform darwin-x64. Searched: /somewhere/prebuilds/darwin-x64/foundry_local_napi.node, /somewhere/native/build/Release/foundry_local_napi.node. Please ensure the SDK was installed correctly or run 'npm run build:native' to compile from source.",
  ],
]);

const SETTINGS_OF_2 = ["appName", "modelCacheDir"];
const MODELS = ["tiny:2", "tiny:1", "endless:1", "fatal:1"];

const print = (text: string) => process.stdout.write(`${text}\n`);

interface Settings {
  readonly appName: string;
}

class Variant {
  constructor(readonly id: string) {}

  async download(onPercent: (percent: number) => void, signal: AbortSignal): Promise<void> {
    if (this.id.startsWith("fatal")) process.abort();
    print(`downloading ${this.id}`);
    onPercent(0);
    while (this.id.startsWith("endless")) {
      onPercent(12.5);
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (signal.aborted) {
        print("the download was aborted");
        throw new DOMException("Operation cancelled", "AbortError");
      }
    }
    for (const percent of [33.34, 33.35, 66.67, 100]) onPercent(percent);
  }
}

class Manager {
  readonly catalog = {
    getModels: async () => MODELS.map((id) => ({ variants: [new Variant(id)] })),
  };
  #simulator: Simulator | null = null;
  #urls: string[] = [];

  constructor(settings: Settings) {
    print(`settings ${JSON.stringify(settings)}`);
    const refusal = REFUSALS.get(failing);
    if (refusal !== undefined) throw new Error(refusal);
    if (failing === "crash on start") {
      process.stderr.write("terminate called after throwing an instance of '/home/somebody'\n");
      process.exit(134);
    }
  }

  get urls(): string[] {
    return this.#urls;
  }

  /** The real SDK listens when it returns; this one returns a promise. */
  async startWebService(): Promise<void> {
    this.#simulator = await startSimulator({
      models: MODELS.map((id) => ({ id })),
      firstTokenMs: failing === "slow answers" ? 3000 : 0,
    });
    print(`listening at ${this.#simulator.url} in ${process.pid}`);
    if (failing === "hang") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    if (failing !== "listens nowhere") this.#urls = [`${this.#simulator.url}/`];
  }

  async stopWebService(): Promise<void> {
    await this.#simulator?.close();
    print("stopped");
  }
}

const managerOf1 = {
  create(): never {
    throw new Error("the event loop would stand still");
  },
  async createAsync(settings: Settings): Promise<Manager> {
    const manager = new Manager(settings);
    if (failing === "slow start") await new Promise(() => {});
    return manager;
  },
};

const managerOf2 = {
  create(settings: Settings): Manager {
    const unknown = Object.keys(settings).find((key) => !SETTINGS_OF_2.includes(key));
    if (unknown !== undefined) throw new TypeError(`Unknown configuration key: ${unknown}`);
    return new Manager(settings);
  },
};

export const FoundryLocalManager = failing === "version 2" ? managerOf2 : managerOf1;
