export { isBlockedByLoad } from "./busy.js";
export type { ModelUse } from "./model-uses.js";
export { type HealthDetails, type Live, type ModelListing, Service } from "./service.js";
export { loadTimeout, stallTimeout, worded } from "./time-limits.js";
