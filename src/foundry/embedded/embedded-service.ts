import { join } from "node:path";
import { closedError, PACKAGE_FOLDER, untilAborted } from "../../lib/index.js";
import { type Logger, silentLogger } from "../../log.js";
import { type Machine, ownDirectory } from "../../platform/index.js";
import { notInstalled, tooOld } from "./failures.js";
import { modelCacheOf } from "./model-cache.js";
import { findSdk } from "./sdk.js";
import { SdkProcess } from "./sdk-process.js";

export interface EmbeddedServiceOptions {
  readonly machine: Machine;
  readonly log?: Logger | undefined;
  /** The folder of its models. Default: the command line's cache if it exists, else our own. */
  readonly cacheDirectory?: string | undefined;
  /**
   * Further folders in which, and above which, the SDK is searched for. A program that can write there
   * decides what code runs, so the working directory is only used if the user asked for it.
   */
  readonly directories?: readonly string[] | undefined;
  /** Longest wait for its URL, in milliseconds. Default 60 000. */
  readonly startTimeoutMs?: number | undefined;
  /** The program that hosts the SDK. Default: the built one of this package. */
  readonly childFile?: string | undefined;
}

export interface EmbeddedDownload {
  readonly signal?: AbortSignal | undefined;
  /** Receives 0 to 100, if the SDK reports progress. */
  readonly onPercent?: ((percent: number) => void) | undefined;
}

interface Running {
  readonly endpoint: string;
  readonly process: SdkProcess;
}

const APP_NAME = "foundry-local-mcp";

/**
 * Foundry Local without an installation: the core of the npm package `foundry-local-sdk` and its web
 * service, in a child process that ends when our process ends.
 */
export class EmbeddedService {
  readonly #options: EmbeddedServiceOptions;
  readonly #folders: readonly string[];
  readonly #log: Logger;
  #process: SdkProcess | null = null;
  #running: Running | null = null;
  #starting: Promise<Running> | null = null;
  #isClosed = false;

  constructor(options: EmbeddedServiceOptions) {
    this.#options = options;
    this.#folders = [PACKAGE_FOLDER, ...(options.directories ?? [])];
    this.#log = options.log ?? silentLogger;
  }

  /** Base URL without a slash; `null` while it does not run. */
  get endpoint(): string | null {
    return this.#running?.process.isRunning ? this.#running.endpoint : null;
  }

  /** Whether the SDK is installed. Only a start shows whether its native libraries load. */
  async isInstalled(): Promise<boolean> {
    return (await findSdk(this.#folders)) !== null;
  }

  /**
   * Starts it, if it does not run. Concurrent calls share one start; an abort ends only the wait.
   *
   * @throws FoundryError `EMBEDDED_FAILED`, `CANCELLED` or `CLIENT_CLOSED`.
   */
  async start(signal?: AbortSignal): Promise<{ endpoint: string }> {
    const { endpoint } = await this.#run(signal);
    return { endpoint };
  }

  /**
   * Downloads a model into its cache. Starts the service first, if it does not run.
   *
   * @throws FoundryError `DOWNLOAD_FAILED`, and what `start` throws.
   */
  async download(
    model: { readonly id: string; readonly alias: string },
    { signal, onPercent = () => {} }: EmbeddedDownload = {},
  ): Promise<void> {
    const running = await this.#run(signal);
    try {
      // By its id: with the alias, the SDK might choose another variant.
      await running.process.download(model.id, signal, onPercent);
    } catch (error) {
      throw this.#isClosed ? closedError() : error;
    }
  }

  /** Ends it, and prevents further starts. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#process?.close();
    await this.#starting?.catch(() => {});
  }

  async #run(signal: AbortSignal | undefined): Promise<Running> {
    if (this.#isClosed) throw closedError();
    if (this.#running?.process.isRunning) return this.#running;
    this.#starting ??= this.#begin().finally(() => {
      this.#starting = null;
    });
    return untilAborted(this.#starting, signal);
  }

  async #begin(): Promise<Running> {
    const { machine, cacheDirectory, startTimeoutMs, childFile } = this.#options;
    const sdk = await findSdk(this.#folders);
    if (sdk === null) throw notInstalled(PACKAGE_FOLDER);
    const outdated = tooOld(sdk.version, PACKAGE_FOLDER);
    if (outdated !== null) throw outdated;
    const settings = {
      appName: APP_NAME,
      modelCacheDir: cacheDirectory ?? (await modelCacheOf(machine)),
      logsDir: join(ownDirectory(machine), "logs"),
      logLevel: "warn",
    } as const;
    if (this.#isClosed) throw closedError();
    this.#log.debug({ version: sdk.version }, "starting the embedded service");
    this.#process = new SdkProcess({
      file: childFile ?? join(PACKAGE_FOLDER, "dist", "embedded.js"),
      environment: machine.environment,
      log: this.#log,
    });
    try {
      const process = this.#process;
      const endpoint = await process.listen(sdk.entry, settings, startTimeoutMs);
      this.#running = { endpoint, process };
      return this.#running;
    } catch (error) {
      throw this.#isClosed ? closedError() : error;
    }
  }
}
