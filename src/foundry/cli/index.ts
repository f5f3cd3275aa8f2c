export type { CliCall, CliGeneration, CliReport, FoundryCli } from "./contract.js";
export { findFoundryCli } from "./foundry-cli.js";
