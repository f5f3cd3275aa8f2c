export { completionUri, firstWords } from "./completion-resource.js";
export { endedAmong } from "./ended-subscriptions.js";
export { followed, type UpdateOptions } from "./resource-updates.js";
export { resourceHandlers } from "./resources.js";
