import { FoundryError, formatMegabytes, untilAborted } from "../../lib/index.js";
import { type Logger, silentLogger } from "../../log.js";
import { type KnownModel, modelKey } from "../models/index.js";
import { type OnStatus, StatusListeners } from "../status.js";
import { DownloadLock } from "./download-lock.js";
import { type DownloadContext, selectDownloadMethod } from "./download-method.js";
import { cancelled, type Stage } from "./failures.js";
import { DOWNLOAD_LIMITS, type DownloadLimits } from "./limits.js";
import { isDownloaded } from "./presence.js";

export interface DownloaderOptions {
  readonly limits?: Partial<DownloadLimits>;
  readonly log?: Logger | undefined;
}

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly tell?: OnStatus | undefined;
}

type Outcome = "downloaded" | "already_downloaded";

/** Downloads models, one at a time on this machine, and shares a download among all who want it. */
export class ModelDownloader {
  readonly #limits: DownloadLimits;
  readonly #log: Logger;
  readonly #turns: DownloadLock;
  readonly #downloads = new Map<string, SharedDownload>();

  constructor(
    readonly context: DownloadContext,
    options: DownloaderOptions = {},
  ) {
    this.#limits = { ...DOWNLOAD_LIMITS, ...options.limits };
    this.#log = options.log ?? silentLogger;
    this.#turns = new DownloadLock(context.machine, this.#log);
  }

  /**
   * Downloads a model unless the service has it. Aborting stops one caller's waiting; when the last
   * one has gone, the download is ended as far as it can be.
   *
   * @throws FoundryError `DOWNLOAD_FAILED`, `DOWNLOAD_UNAVAILABLE` where there is no way from here,
   *   `CANCELLED`.
   */
  async download(model: KnownModel, options: DownloadOptions = {}): Promise<Outcome> {
    const { signal, tell } = options;
    if (signal?.aborted) throw cancelled("waiting");
    if (model.downloaded === true) return "already_downloaded";
    const key = modelKey(model);
    let shared = this.#downloads.get(key);
    if (shared === undefined) {
      const begun = new SharedDownload((download) => this.#download(model, download));
      const forget = () => {
        if (this.#downloads.get(key) === begun) this.#downloads.delete(key);
      };
      // Whoever asks after it was given up begins anew, behind what is left of it.
      begun.outcome.then(forget, forget);
      begun.signal.addEventListener("abort", forget, { once: true });
      this.#downloads.set(key, begun);
      shared = begun;
    }
    return shared.join(signal, tell);
  }

  async #download(model: KnownModel, download: SharedDownload): Promise<Outcome> {
    const { service } = this.context;
    const { signal } = download;
    const way = await selectDownloadMethod(model, this.context, this.#limits, signal);
    const wait = () => download.tell("Waiting for another download to end", null);
    return this.#turns.take(signal, wait, async () => {
      // Whoever was before us may have downloaded the same.
      const isThere = await isDownloaded(service, model, signal).catch(() => null);
      if (isThere === true) return "already_downloaded";
      if (signal.aborted) throw cancelled("waiting");
      download.stage = way.stage;
      const message = `Downloading ${model.id}${sizeOf(model)}`;
      download.tell(message, null);
      const begin = performance.now();
      try {
        const onPercent = (percent: number | null) => download.tell(message, percent);
        await way.download(model, { signal, onPercent });
      } finally {
        service.forgetModels();
        const seconds = Math.round((performance.now() - begin) / 1000);
        this.#log.info({ model: model.id, way: way.stage, seconds }, "download ended");
      }
      return "downloaded";
    });
  }
}

/** One download and all who wait for it. It is aborted when nobody is left. */
class SharedDownload {
  stage: Stage = "waiting";
  readonly outcome: Promise<Outcome>;
  readonly #controller = new AbortController();
  readonly #waiting = new StatusListeners();

  constructor(work: (download: SharedDownload) => Promise<Outcome>) {
    this.outcome = work(this);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Tells all who wait, unless it is what they know. */
  tell(message: string, percent: number | null): void {
    const { latest } = this.#waiting;
    const before = latest?.message === message ? latest.percent : null;
    const highest = percent === null ? before : Math.max(Math.min(percent, 100), before ?? 0);
    if (latest?.message === message && highest === before) return;
    this.#waiting.tell({ step: "downloading", message, percent: highest });
  }

  async join(signal: AbortSignal | undefined, tell: OnStatus | undefined): Promise<Outcome> {
    const leave = this.#waiting.join(tell);
    try {
      return await untilAborted(this.outcome, signal);
    } catch (error) {
      if (!signal?.aborted || !(error instanceof FoundryError)) throw error;
      throw cancelled(this.#waiting.size > 1 ? "shared" : this.stage);
    } finally {
      leave();
      if (this.#waiting.size === 0) this.#controller.abort();
    }
  }
}

function sizeOf({ sizeMb }: KnownModel): string {
  if (sizeMb === null || sizeMb <= 0) return "";
  return ` (${formatMegabytes(sizeMb)})`;
}
