export { StandInInUse } from "./program.js";
export { type FoundryCliOptions, FoundryCliStandIn, startFoundryCli } from "./stand-in.js";
export type { FoundryCliSwitches, OutputEncoding, OutputNoise } from "./switches.js";
