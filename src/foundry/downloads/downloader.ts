import {
  FoundryError,
  formatMegabytes,
  type SharedTask,
  SharedTasks,
  type Trace,
  toFoundryError,
  traceFields,
} from "../../lib/index.js";
import { type Logger, silentLogger } from "../../log.js";
import type { CallOptions, DownloadResult, StatusUpdate } from "../calls.js";
import { type KnownModel, modelKey, shortName } from "../models/index.js";
import { DownloadLock } from "./download-lock.js";
import {
  type DownloadContext,
  type DownloadMethod,
  selectDownloadMethod,
} from "./download-method.js";
import { cancelled, type Stage } from "./failures.js";
import { DOWNLOAD_LIMITS, type DownloadLimits } from "./limits.js";
import { hasModel } from "./presence.js";

/** Time limit for the question whether a download is possible, in milliseconds. */
const ADVICE_MS = 5000;

interface DownloaderOptions {
  readonly limits?: Partial<DownloadLimits>;
  readonly log?: Logger | undefined;
}

type Outcome = DownloadResult["status"];
type DownloadTask = SharedTask<Outcome, StatusUpdate>;

/** Downloads models, one at a time on this machine. Concurrent callers share a model's download. */
export class ModelDownloader {
  readonly #limits: DownloadLimits;
  readonly #log: Logger;
  readonly #lock: DownloadLock;
  readonly #tasks = new SharedTasks<Outcome, StatusUpdate>();
  /** The stage of each download that has begun. */
  readonly #stages = new WeakMap<DownloadTask, Stage>();

  constructor(
    readonly context: DownloadContext,
    options: DownloaderOptions = {},
  ) {
    this.#limits = { ...DOWNLOAD_LIMITS, ...options.limits };
    this.#log = options.log ?? silentLogger;
    this.#lock = new DownloadLock(context.machine, this.#log);
  }

  /**
   * Downloads a model unless the service has it. Aborting ends the waiting; without waiters the
   * download is aborted as far as that is possible.
   *
   * @param call Its trace is sent if it begins the download.
   * @throws FoundryError `DOWNLOAD_FAILED`, `DOWNLOAD_UNAVAILABLE` where there is no way from here,
   *   `CANCELLED`.
   */
  async download(model: KnownModel, call: CallOptions = {}): Promise<Outcome> {
    const { signal, onStatus, trace } = call;
    if (signal?.aborted) throw cancelled("waiting");
    if (model.downloaded === true) return "already_downloaded";
    const task = this.#tasks.get(modelKey(model), (own) => this.#download(model, own, trace));
    try {
      return await task.wait({ signal, onUpdate: onStatus });
    } catch (error) {
      if (!signal?.aborted || !(error instanceof FoundryError)) throw error;
      throw cancelled(task.waiters > 0 ? "shared" : (this.#stages.get(task) ?? "waiting"));
    }
  }

  /** Whether there is a way to download a model for this service. */
  async canDownload(model: KnownModel, signal: AbortSignal): Promise<boolean> {
    return this.#methodFor(model, signal).then(
      () => true,
      () => false,
    );
  }

  /**
   * How to download a model: the call that does it, or why no call can and what to do then.
   *
   * @param name What a call names the model by. Default: its short name.
   */
  async advice(model: KnownModel, name = shortName(model)): Promise<string> {
    let command = `, or run \`foundry model download ${name}\``;
    try {
      const { stage } = await this.#methodFor(model, AbortSignal.timeout(ADVICE_MS));
      if (stage === "embedded") command = "";
    } catch (thrown) {
      const { code, message, action } = toFoundryError(thrown);
      if (code === "DOWNLOAD_UNAVAILABLE") return `${message} ${action}`;
      // Otherwise it is unknown, and the call itself reports what is wrong.
    }
    return `To download ${name}, call \`loadModel\` with model "${name}" and download true${command}. It may be gigabytes, so ask the user first.`;
  }

  #methodFor(model: KnownModel, signal: AbortSignal): Promise<DownloadMethod> {
    return selectDownloadMethod(model, this.context, this.#limits, signal);
  }

  async #download(
    model: KnownModel,
    task: DownloadTask,
    trace: Trace | undefined,
  ): Promise<Outcome> {
    const { service } = this.context;
    const { signal } = task;
    const method = await this.#methodFor(model, signal);
    const onWait = () => report(task, "Waiting for another download to end", null);
    return this.#lock.run(signal, onWait, async () => {
      // A download before this one may have been of the same model. A service that downloads by
      // itself checks that before it begins.
      const isPresent = method.stage !== "service" && (await hasModel(service, model, signal));
      if (isPresent) return "already_downloaded";
      if (signal.aborted) throw cancelled("waiting");
      this.#stages.set(task, method.stage);
      const size = model.sizeMb ? ` (${formatMegabytes(model.sizeMb)})` : "";
      const message = `Downloading ${model.id}${size}`;
      report(task, message, null);
      const begin = performance.now();
      const fields = () => {
        const seconds = Math.round((performance.now() - begin) / 1000);
        return { ...traceFields(trace), model: model.id, method: method.stage, seconds };
      };
      let outcome: Outcome;
      try {
        const onPercent = (percent: number | null) => report(task, message, percent);
        outcome = await method.download(model, { signal, onPercent, trace });
        service.models.noteDownloaded(model);
      } catch (error) {
        service.forgetModels();
        const { code } = toFoundryError(error);
        if (!signal.aborted) this.#log.warn({ ...fields(), code }, "download failed");
        throw error;
      }
      this.#log.debug(fields(), "download ended");
      return outcome;
    });
  }
}

/** Updates the task unless nothing has changed. The percentage of a message never falls. */
function report(task: DownloadTask, message: string, percent: number | null): void {
  const { latest } = task;
  const before = latest?.message === message ? latest.percent : null;
  const highest = percent === null ? before : Math.max(Math.min(percent, 100), before ?? 0);
  if (latest?.message === message && highest === before) return;
  task.update({ step: "downloading", message, percent: highest });
}
