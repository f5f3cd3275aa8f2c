export { Discovery, type DiscoveryOptions, type SearchOptions } from "./discovery.js";
export { FOUND_BY, type Found, type FoundBy, type Search, type Trial } from "./found.js";
