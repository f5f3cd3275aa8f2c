export { AllowedFolders, type ReadOptions } from "./allowed-folders.js";
export type { FileImage, FileText } from "./content.js";
export { decode, type TextEncoding } from "./decode.js";
export type { NewFile } from "./new-file.js";
