export type { ModelListing } from "./model-lists.js";
export type { ModelUse } from "./model-uses.js";
export { type HealthDetails, type Live, Service } from "./service.js";
export {
  isBlockedByLoad,
  loadTimeout,
  stallTimeout,
  withinQuickLimits,
  worded,
} from "./time-limits.js";
