import { type Simulator, type SimulatorOptions, startSimulator } from "foundry-local-simulator";
import { onTestFinished } from "vitest";
import { FoundryClient, type FoundryClientOptions } from "../../src/jobs/index.js";
import { type Machine, thisMachine } from "../../src/platform/machine.js";
import { deadPort, ownPort } from "../ports.js";
import { temporaryFolder } from "../temporary-folder.js";

/** A simulated service whose model cache is on this machine. It ends with the test. */
export async function simulate(options: SimulatorOptions = {}): Promise<Simulator> {
  const modelCachePath = await temporaryFolder("cache-");
  const port = await ownPort();
  const simulator = await startSimulator({ modelCachePath, port, ...options });
  onTestFinished(() => simulator.close());
  return simulator;
}

/** A simulated service whose model cache cannot be read here, as on another machine. */
export async function simulateFar(options: SimulatorOptions): Promise<Simulator> {
  const simulator = await startSimulator(options);
  onTestFinished(() => simulator.close());
  return simulator;
}

/** This machine, with enough memory and disk for any model, whatever its real size. */
export const roomyMachine = (): Machine => ({
  ...thisMachine(),
  memory: () => ({ totalMb: 1e6, freeMb: 1e6, isExact: true }),
  freeDiskMb: async () => 1e6,
});

/** A client that retries quickly. It is closed with the test. */
export function clientOf(
  url: string,
  options: FoundryClientOptions = {},
  machine = roomyMachine(),
): FoundryClient {
  const client = new FoundryClient(
    { endpoint: url, retry: { retries: 2, initialPauseMs: 1, maxPauseMs: 1 }, ...options },
    machine,
  );
  onTestFinished(() => client.close());
  return client;
}

/** The requests that a simulator received on a path, or on a path that begins so. */
export const askedOf = (simulator: Simulator, path: string) =>
  simulator.requests.filter((request) => request.path.startsWith(path));

/** An address at which nothing listens. */
export const deadUrl = async () => `http://127.0.0.1:${await deadPort()}`;
