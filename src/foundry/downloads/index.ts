export { ModelDownloader } from "./downloader.js";
export { becauseOf, DOWNLOAD_ADVICE, type DownloadFault } from "./failures.js";
export type { DownloadLimits } from "./limits.js";
export { mbOfFiles } from "./model-files.js";
export { hasModel } from "./presence.js";
