export { Discovery, type DiscoveryOptions, type SearchOptions } from "./discovery.js";
export {
  FOUND_BY,
  FOUND_BY_WORDS,
  type Found,
  type FoundBy,
  guessWarning,
  type Search,
  type Trial,
  withoutTrials,
} from "./found.js";
