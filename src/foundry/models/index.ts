export { type AutoWish, chooseAuto, modelToDownload, type RequestNeeds } from "./auto.js";
export { mergeModels, NO_DISK_FACTS, readDiskFacts } from "./directory.js";
export {
  AUTO,
  canChat,
  canEmbed,
  canSee,
  type Device,
  deviceOf,
  type Family,
  isSameVariant,
  type KnownModel,
  type ListedModel,
  type LoadedModel,
  type ModelDetails,
  type ModelInfo,
  modelKey,
  parseModelId,
  shortName,
  spelledName,
} from "./model.js";
export { type Folder, FolderWalk } from "./model-folders.js";
export {
  chooseDefaultModel,
  DEFAULT_MODEL,
  findModel,
  isAuto,
  nearestNames,
  resolveModel,
  unlistedModel,
} from "./resolve.js";
