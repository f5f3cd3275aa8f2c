export { completionUri } from "./completion-resource.js";
export { type UpdateOptions, followed } from "./resource-updates.js";
export { type ResourceOptions, resourceHandlers } from "./resources.js";
