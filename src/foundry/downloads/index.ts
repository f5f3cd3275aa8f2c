export { type DownloaderOptions, type DownloadOptions, ModelDownloader } from "./downloader.js";
export type { DownloadLimits } from "./limits.js";
export { mbOfFiles } from "./model-files.js";
export type { DownloadContext, EmbeddedDownloads } from "./ways.js";
