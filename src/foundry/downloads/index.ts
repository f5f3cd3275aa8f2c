export { type DownloadContext, type DownloadOptions, ModelDownloader } from "./downloader.js";
