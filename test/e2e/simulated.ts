import { type Simulator, type SimulatorOptions, startSimulator } from "foundry-local-simulator";
import { onTestFinished } from "vitest";
import { ownPort } from "../ports.js";
import type { Settings } from "./executable.js";
import { Host } from "./host.js";
import { WireHost } from "./wire-host.js";

/** Generates endlessly, forty tokens a second. */
export const ENDLESS = "endless-generic-cpu:1";
/** Answers at once. */
export const PROMPT_ANSWER = "tiny-generic-cpu:1";
export const ANSWER = "Hello from a tiny model.";

export const MODELS: NonNullable<SimulatorOptions["models"]> = [
  { id: PROMPT_ANSWER, script: { text: ANSWER }, loaded: true },
  {
    id: ENDLESS,
    script: { text: "On and on and on it goes. ", forever: true },
    tokensPerSecond: 40,
    loaded: true,
  },
];

/** A service for one test, which ends with that test. */
export async function simulated(options: SimulatorOptions = {}): Promise<Simulator> {
  const port = await ownPort();
  const simulator = await startSimulator({ models: MODELS, port, ...options });
  onTestFinished(() => simulator.close());
  return simulator;
}

/** A host for one test, with a server on this endpoint. */
export async function hostOn(endpoint: string, settings: Settings = {}): Promise<Host> {
  const host = await Host.start({ FOUNDRY_ENDPOINT: endpoint, ...settings });
  onTestFinished(() => host.close());
  return host;
}

/** The same for a host that reads and writes the lines of the protocol itself. */
export function wireHostOn(endpoint: string, settings: Settings = {}): Promise<WireHost> {
  return WireHost.start({ FOUNDRY_ENDPOINT: endpoint, ...settings });
}

/** Starts a completion that takes longer than any test, and resolves at its first text. */
export async function endlessCompletion(host: WireHost, simulator: Simulator): Promise<number> {
  const id = host.call("complete", { prompt: "Go on.", model: ENDLESS, max_tokens: 2000 });
  await simulator.waitFor(({ requests }) =>
    requests.find(({ tokensSent, endedBy }) => tokensSent > 2 && endedBy === null),
  );
  return id;
}

/** The result of an ordinary call, to check that the server still works. */
export async function ordinaryAnswer(host: WireHost): Promise<unknown> {
  const { result } = await host.answerTo(
    host.call("complete", { prompt: "Hello", model: PROMPT_ANSWER }),
  );
  const { text } = Object(result?.["structuredContent"]);
  return text;
}

/** The request of the latest completion. */
export function chatRequest(simulator: Simulator) {
  const found = simulator.requests.findLast(({ path }) => path.endsWith("/v1/chat/completions"));
  if (found === undefined) throw new Error("no completion was asked for");
  return found;
}
