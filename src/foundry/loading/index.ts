export type { AutoWish } from "./auto-choice.js";
export { CapacityCheck } from "./capacity-check.js";
export { assertCanChat, ModelLoader, type ResolvedModel, type ResolveOptions } from "./loader.js";
export { MissingModels } from "./missing-model.js";
export { unloadModel } from "./unload.js";
