export { jsonObjectsIn, type ServiceReport } from "./cli-output.js";
export {
  type CliGeneration,
  type CliReport,
  type FoundryCli,
  findFoundryCli,
  type StartVerb,
} from "./foundry-cli.js";
