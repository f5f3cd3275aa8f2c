export { type HostEntry, hostEntries, repaired } from "./host-entries.js";
export { reasonOf } from "./plan.js";
