export { completionUri } from "./completion-resource.js";
export { RESOURCE_CAPABILITY, registerResources } from "./resources.js";
