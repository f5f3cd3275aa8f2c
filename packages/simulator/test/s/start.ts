import {
  type ModelOptions,
  type Simulator,
  type SimulatorOptions,
  startSimulator,
} from "../../src/index.js";
import { MODEL } from "../ask.js";

export const TALKER = { id: MODEL, script: { text: "one two three" } } satisfies ModelOptions;

/** S with one model, on disk and not loaded, unless the options say otherwise. */
export function startService(options: SimulatorOptions = {}): Promise<Simulator> {
  return startSimulator({ dialect: "S", models: [TALKER], ...options });
}
