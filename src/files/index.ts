export { AllowedFolders, type ReadOptions } from "./allowed-folders.js";
export { decode, type FileImage, type FileText } from "./content.js";
export type { NewFile } from "./new-file.js";
