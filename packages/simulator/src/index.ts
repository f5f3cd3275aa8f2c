/**
 * A simulated Foundry Local on real sockets, for tests and demos. It shares no code with the client:
 * its behaviour comes from recordings of the real services.
 */
import type { SimulatorOptions } from "./options.js";
import { Simulator } from "./simulator.js";

export { answersFromJson, type ScriptedAnswer } from "./answers.js";
export { StandInInUse } from "./cli/program.js";
export {
  type FoundryCliOptions,
  type FoundryCliStandIn,
  startFoundryCli,
} from "./cli/stand-in.js";
export type { FoundryCliSwitches, OutputEncoding, OutputNoise } from "./cli/switches.js";
export { C2_VERSIONS, NEWEST_C2 } from "./dialects/c2/version.js";
export type { Fault } from "./faults/fault.js";
export { FAULT_SETTINGS, FAULT_SYNTAX } from "./faults/settings.js";
export type { ModelOptions, PromptSeen, Script, SimulatedModel } from "./models/model.js";
export { SAMPLE_CATALOG } from "./models/sample-catalog.js";
export {
  type AnySwitches,
  DIALECTS,
  type DialectName,
  type SimulatorOptions,
} from "./options.js";
export type { ReceivedRequest } from "./received.js";
export type { Simulator } from "./simulator.js";

/**
 * Starts a simulated service.
 *
 * @example
 * const simulator = await startSimulator({ tokensPerSecond: 20, firstTokenMs: 300 });
 * const answer = await fetch(`${simulator.url}/v1/models`);
 * await simulator.close();
 */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = new Simulator(options);
  await simulator.start();
  return simulator;
}
