export { becauseOf, DOWNLOAD_ADVICE, type DownloadFault } from "./download-advice.js";
export type { DownloadContext, EmbeddedDownloads } from "./download-method.js";
export { type DownloaderOptions, type DownloadOptions, ModelDownloader } from "./downloader.js";
export type { DownloadLimits } from "./limits.js";
export { mbOfFiles } from "./model-files.js";
