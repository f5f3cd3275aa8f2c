export {
  type CliGeneration,
  type CliReport,
  type FoundryCli,
  findFoundryCli,
} from "./foundry-cli.js";
