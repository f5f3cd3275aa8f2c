export { completionUri, firstWords } from "./completion-resource.js";
export { endedAmong, ResourceUpdates, type UpdateOptions } from "./resource-updates.js";
export { resourceHandlers } from "./resources.js";
