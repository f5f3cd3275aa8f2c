export { type HostEntry, hostEntries, reasonOf, repaired } from "./plan.js";
