export { completionUri, firstWords } from "./completion-resource.js";
export { endedAmong, followed, type UpdateOptions } from "./resource-updates.js";
export { resourceHandlers } from "./resources.js";
