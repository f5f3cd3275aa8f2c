export { CapacityCheck } from "./capacity-check.js";
export { assertCanChat, ModelLoader, type Wanted } from "./loader.js";
