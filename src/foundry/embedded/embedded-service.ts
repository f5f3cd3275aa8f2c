import { stat } from "node:fs/promises";
import path from "node:path";
import {
  closedError,
  FILE_READ_MS,
  PACKAGE_FOLDER,
  systemCodeOf,
  untilAborted,
} from "../../lib/index.js";
import { type Logger, silentLogger } from "../../log.js";
import { inPool, LATE, type Machine, ownDirectory, pathsOf } from "../../platform/index.js";
import type { KnownModel } from "../models/index.js";
import { crashed, notInstalled, tooOld } from "./failures.js";
import { findSdk } from "./sdk.js";
import { SdkProcess, type SdkProcessOptions } from "./sdk-process.js";

interface EmbeddedServiceOptions {
  readonly machine: Machine;
  readonly log?: Logger | undefined;
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
  async start(signal?: AbortSignal): Promise<Running> {
    if (this.#isClosed) throw closedError();
    if (this.#running?.process.isRunning) return this.#running;
    this.#starting ??= this.#begin().finally(() => {
      this.#starting = null;
    });
    return untilAborted(this.#starting, signal);
  }

  /**
   * Downloads a model into its cache. Starts the service first, if it does not run.
   *
   * @param call.onPercent Receives 0 to 100, if the SDK reports progress.
   * @throws FoundryError `DOWNLOAD_FAILED`, and what `start` throws.
   */
  async download(
    model: Pick<KnownModel, "id">,
    {
      signal,
      onPercent = () => {},
    }: { readonly signal?: AbortSignal; readonly onPercent?: (percent: number) => void } = {},
  ): Promise<void> {
    const running = await this.start(signal);
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

  async #begin(): Promise<Running> {
    const { machine, startTimeoutMs, childFile } = this.#options;
    const sdk = await findSdk(this.#folders);
    if (sdk === null) throw notInstalled();
    const outdated = tooOld(sdk.version, PACKAGE_FOLDER);
    if (outdated !== null) throw outdated;
    const settings = {
      appName: APP_NAME,
      modelCacheDir: await modelCacheOf(machine),
      logsDir: path.join(ownDirectory(machine), "logs"),
      logLevel: "warn",
    } as const;
    if (this.#isClosed) throw closedError();
    this.#log.debug({ version: sdk.version }, "starting the embedded service");
    this.#process = started({
      file: childFile ?? path.join(PACKAGE_FOLDER, "dist", "embedded.js"),
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

/**
 * Starts the process. Node throws most of the system's refusals, such as `ENOMEM`; the rest are events.
 *
 * @throws FoundryError `EMBEDDED_FAILED`
 */
function started(options: SdkProcessOptions): SdkProcess {
  try {
    return new SdkProcess(options);
  } catch (thrown) {
    const code = systemCodeOf(thrown);
    throw code === null ? thrown : crashed(code, "while it started", "");
  }
}

/**
 * The model cache of the embedded service. By default the SDK has one cache per application. If the
 * command line's cache exists, it is used, so that its models are not downloaded again. Otherwise it
 * is our own: a folder at the command line's place would look like an installation of it.
 */
export async function modelCacheOf(machine: Machine): Promise<string> {
  const { join } = pathsOf(machine.platform);
  const cliCache = join(machine.home, ".foundry", "cache", "models");
  if (await isFolder(cliCache)) return cliCache;
  return join(ownDirectory(machine), "cache", "models");
}

async function isFolder(folder: string): Promise<boolean> {
  const facts = await inPool(() => stat(folder).catch(() => null), FILE_READ_MS);
  return facts !== LATE && facts?.isDirectory() === true;
}
