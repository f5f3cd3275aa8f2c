import type { FoundryCli } from "../cli/index.js";
import type { KnownModel } from "../models/index.js";
import type { TellNews } from "../news.js";
import type { Service } from "../service.js";

export interface DownloadContext {
  /** The service whose models they become. */
  readonly service: Service;
  /** The command line of this machine, for services that do not download over HTTP. */
  readonly cli: () => Promise<FoundryCli | null>;
}

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly tell?: TellNews | undefined;
}

/** Downloads models, one at a time on this machine, and shares a download among all who want it. */
export class ModelDownloader {
  constructor(readonly context: DownloadContext) {}

  async download(
    _model: KnownModel,
    _options: DownloadOptions = {},
  ): Promise<"downloaded" | "already_downloaded"> {
    throw new Error("being built");
  }
}
