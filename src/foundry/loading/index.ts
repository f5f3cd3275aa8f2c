export { CapacityCheck } from "./capacity-check.js";
export { assertCanChat, ModelLoader, type ResolvedModel } from "./loader.js";
export { unloadModel } from "./unload.js";
