export {
  type Attempt,
  FOUND_BY,
  FOUND_BY_WORDS,
  type FoundBy,
  guessWarning,
  withoutAttempts,
} from "./attempt.js";
/** @internal For the connection in use. */
export { Discovery, type DiscoveryOptions, KNOWN_PORTS, type LastSearch } from "./discovery.js";
