export type { Cancellation } from "./cancellation.js";
export { HostCalls } from "./host-calls.js";
export { type HostLimit, HostLimits } from "./host-limits.js";
