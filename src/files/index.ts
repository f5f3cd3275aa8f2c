export { AllowedFolders, type FileText } from "./allowed-folders.js";
export { decode, type TextEncoding } from "./decode.js";
export type { NewFile } from "./new-file.js";
