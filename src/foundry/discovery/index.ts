export { type Attempt, withoutAttempts } from "./attempt.js";
/** @internal For the connection in use. */
export { Discovery, type DiscoveryOptions, KNOWN_PORTS, type LastSearch } from "./discovery.js";
export { FOUND_BY, FOUND_BY_WORDS, type Found, type FoundBy, guessWarning } from "./found-by.js";
