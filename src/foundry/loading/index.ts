export { CapacityCheck } from "./capacity.js";
export { assertCanChat, ModelLoader, type ResolvedModel, type ResolveOptions } from "./loader.js";
export { MissingModels } from "./missing-model.js";
export { unloadModel } from "./unload.js";
