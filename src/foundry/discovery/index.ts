export { Discovery, type DiscoveryOptions, type SearchOptions } from "./discovery.js";
export { EmbeddedService } from "./embedded/index.js";
export { FOUND_BY, type Found, type FoundBy, type Search, type Trial } from "./found.js";
