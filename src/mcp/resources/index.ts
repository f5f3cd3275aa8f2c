export { completionUri } from "./completion-resource.js";
export { type ResourceOptions, resourceHandlers } from "./resources.js";
