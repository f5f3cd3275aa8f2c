export { type AutoWish, chooseAuto, modelToDownload, type RequestNeeds } from "./auto.js";
export { type DiskFacts, mergeModels, NO_DISK_FACTS, readDiskFacts } from "./directory.js";
export { type Folder, FolderWalk } from "./folder-walk.js";
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
export {
  chooseDefaultModel,
  DEFAULT_MODEL,
  findModel,
  isAuto,
  nearestNames,
  resolveModel,
  unlistedModel,
} from "./resolve.js";
