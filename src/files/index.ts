export { AllowedFolders, type FileText, type ReadOptions } from "./allowed-folders.js";
export { type Decoded, decode, type TextEncoding } from "./decode.js";
export type { NewFile } from "./new-file.js";
