export type { DownloadContext, EmbeddedDownloads } from "./download-method.js";
export { type DownloaderOptions, type DownloadOptions, ModelDownloader } from "./downloader.js";
export { becauseOf, DOWNLOAD_ADVICE, type DownloadFault } from "./failures.js";
export type { DownloadLimits } from "./limits.js";
export { mbOfFiles } from "./model-files.js";
