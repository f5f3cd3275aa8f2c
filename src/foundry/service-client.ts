import { z } from "zod";
import {
  closedError,
  type FoundryError,
  type JoinedSignal,
  joinedSignal,
  parseArguments,
  toFoundryError,
} from "../lib/index.js";
import { type Logger, silentLogger } from "../log.js";
import type { Machine } from "../platform/index.js";
import { callOptions, loadOptions, streamOptions, unloadOptions } from "./call-options.js";
import type { CliGeneration } from "./cli/index.js";
import {
  type Admit,
  type Completion,
  type CompletionEvent,
  CompletionProgress,
  type CompletionRequest,
  CompletionStream,
  completionFields,
  completionRequestSchema,
  prepareMessages,
  runCompletion,
} from "./completion/index.js";
import { type Connection, CurrentService } from "./connection/index.js";
import { type Attempt, withoutAttempts } from "./discovery/index.js";
import { checkHealth, type Health } from "./health/index.js";
import { Metrics } from "./metrics.js";
import { chooseDefaultModel, type Device, type KnownModel, resolveModel } from "./models/index.js";
import type { FoundryClientOptions } from "./options.js";
import type { StatusUpdate } from "./status.js";

/** What every method takes besides its own arguments. */
export interface CallOptions {
  /** Aborting it ends the call at once with the error `CANCELLED`. */
  readonly signal?: AbortSignal | undefined;
  /** Told what a call waits for before its own work: the service being found or started, a download. */
  readonly onStatus?: ((news: StatusUpdate) => void) | undefined;
}

/** What a layer above adds to a completion. */
export interface StreamOptions extends CallOptions {
  /** @internal By which it is known. Default: a new one. */
  readonly id?: string | undefined;
  /** @internal Asked before the model is loaded or used. */
  readonly admit?: Admit | undefined;
}

export interface LoadOptions extends CallOptions {
  /** Load the variant for this device. Default: the variant that is ready, or the service's choice. */
  readonly device?: Device | undefined;
  /** Download the model first if it is not there: gigabytes. Default `false`. */
  readonly download?: boolean | undefined;
  /**
   * Go ahead although by the figures the model does not fit into the free memory, or its download onto
   * the disk. Default `false`.
   */
  readonly force?: boolean | undefined;
  /**
   * Seconds without use after which the service unloads it. Only the service of the old command line
   * knows that; its default is 600. Others keep a model until it is unloaded.
   */
  readonly idleSeconds?: number | undefined;
}

export interface UnloadOptions extends CallOptions {
  /** Unload it although it is in use, where the service can be told to. Default `false`. */
  readonly force?: boolean | undefined;
}

export interface LoadResult {
  /** Exact id of the model that is in memory now. */
  readonly model: string;
  readonly status: "loaded" | "already_loaded";
  readonly elapsedMs: number;
  /** What was tight, each a sentence. */
  readonly warnings: readonly string[];
}

export interface UnloadResult {
  readonly model: string;
  readonly status: "unloaded" | "not_loaded";
}

/** @internal */
export interface Diagnosis {
  readonly health: Health;
  /** What was tried to find the service, in order; empty where its endpoint is set. */
  readonly attempts: readonly Attempt[];
  /** How long that took, a start of the service included; `null` where nothing was searched for. */
  readonly searchMs: number | null;
  readonly commandLine: {
    readonly path: string;
    readonly generation: CliGeneration | null;
    readonly version: string | null;
  } | null;
}

export interface ModelListResult {
  readonly models: readonly KnownModel[];
  /** Exact id of the model that a completion without `model` would use; `null` where there is none. */
  readonly defaultModel: string | null;
  /** What is missing from the list and why. */
  readonly warning: string | null;
}

/** A command line that works answers that in much less; one that hangs has cost time already. */
const VERSION_MS = 4000;

/**
 * A client of Foundry Local, whichever of its servers answers. Without an endpoint it finds the one of
 * this machine when it is first needed, starts it where it is only installed, and follows it when it
 * moves. Every method rejects with a {@link FoundryError}; the codes named below are those that are
 * particular to it, and all can also meet `NO_ENDPOINT`, `SERVICE_UNREACHABLE`, `CIRCUIT_OPEN`,
 * `NOT_FOUNDRY`, `TIMEOUT`, `CANCELLED`, `CLIENT_CLOSED`.
 *
 * @example
 * const client = new FoundryClient();
 * const { text } = await client.complete({ prompt: "Why is the sky blue?" });
 * await client.close();
 */
export class FoundryClient {
  readonly #options: FoundryClientOptions;
  readonly #log: Logger;
  readonly #metrics = new Metrics();
  readonly #current: CurrentService;
  readonly #closing = new AbortController();

  /** @param machine Where Foundry Local is looked for; another than this one only in tests. */
  constructor(options: FoundryClientOptions = {}, machine?: Machine) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#current = new CurrentService(options, machine);
  }

  /**
   * Completes a prompt or a conversation, loading the model first where that is needed. Waits for the
   * whole answer, however long it takes; only silence is limited (`stallTimeoutMs`).
   *
   * @throws FoundryError `INVALID_ARGUMENT`, `MODEL_NOT_FOUND`, `MODEL_NOT_CACHED`, `LOAD_FAILED`,
   *   `MODEL_CANNOT_CHAT`, `CONTEXT_LENGTH_EXCEEDED`, `INFERENCE_FAILED`, `STREAM_INTERRUPTED`,
   *   `SERVER_CRASHED`. The text that came before a failure is to be had from `streamComplete`.
   */
  async complete(request: CompletionRequest, options: CallOptions = {}): Promise<Completion> {
    const stream = this.streamComplete(request, options);
    for await (const _event of stream) {
      // All that matters is in the snapshot.
    }
    return stream.snapshot();
  }

  /**
   * Like {@link FoundryClient.complete}, telling each piece as it comes. Leaving the loop ends the
   * request.
   *
   * @example
   * for await (const event of client.streamComplete({ prompt: "Tell me a story" })) {
   *   if (event.type === "text") process.stdout.write(event.text);
   * }
   */
  streamComplete(request: CompletionRequest, options: StreamOptions = {}): CompletionStream {
    const checked = parseArguments(completionRequestSchema, request);
    checkOptions(streamOptions, options);
    const { messages, characters, warnings } = prepareMessages(checked);
    const now = (): number => performance.now();
    const progress = new CompletionProgress(characters, now, options.id);
    progress.warnings.push(...warnings);
    const run = (signal: AbortSignal): AsyncGenerator<CompletionEvent, void> =>
      runCompletion(checked, messages, progress, {
        current: this.#current,
        tell: options.onStatus,
        admit: options.admit,
        maxTokens: this.#options.maxTokens ?? 1024,
        stallTimeoutMs: this.#options.stallTimeoutMs ?? 300_000,
        now,
        signal,
      });
    return new CompletionStream(
      (leaving) => this.#counted(run, progress, leaving, options.signal),
      progress,
    );
  }

  /**
   * All models the service has: of both its families, downloaded or not, in its order.
   *
   * @throws FoundryError `INVALID_RESPONSE` when it does not answer what Foundry Local answers.
   */
  async listModels(options: CallOptions = {}): Promise<ModelListResult> {
    checkOptions(callOptions, options);
    const { models, warning } = await this.#with(options, ({ service }, signal) =>
      service.listAvailable(signal),
    );
    return { models, warning, defaultModel: this.#defaultAmong(models) };
  }

  /**
   * Loads a model by alias, name or id. Waits until it is in memory, at most `loadTimeoutMs`. Giving
   * up does not stop the service from loading it.
   *
   * With `download` it is downloaded first where it is missing, which has no time limit but that of
   * standing still (`downloadStallMs`).
   *
   * @throws FoundryError `MODEL_NOT_FOUND`, `MODEL_NOT_CACHED`, `LOAD_FAILED`, `EP_UNAVAILABLE`,
   *   `INSUFFICIENT_MEMORY`, `INSUFFICIENT_DISK`, `DOWNLOAD_FAILED`, `UNSUPPORTED_BY_SERVER` where the
   *   service loads models by itself.
   */
  async loadModel(model: string, options: LoadOptions = {}): Promise<LoadResult> {
    parseArguments(modelArgument, { model });
    checkOptions(loadOptions, options);
    const { device, download, force = false, onStatus: tell } = options;
    const startedAt = performance.now();
    const warnings = new Set<string>();
    const outcome = await this.#with(options, async ({ loader, downloader, room }, signal) => {
      let wanted = await loader.want(model, signal, device, tell);
      if (download === true && wanted.model.downloaded !== true) {
        if (wanted.model.downloaded === false) {
          const tight = await room.assertDownloadable(wanted.model, force);
          for (const warning of tight) warnings.add(warning);
        }
        await downloader.download(wanted.model, { signal, tell });
        wanted = await loader.want(model, signal, device);
      }
      return loader.load(wanted, signal, { idleSeconds: options.idleSeconds, force, tell });
    });
    for (const warning of outcome.warnings) warnings.add(warning);
    const elapsedMs = Math.round(performance.now() - startedAt);
    return { model: outcome.model.id, status: outcome.status, elapsedMs, warnings: [...warnings] };
  }

  /**
   * Which model a name stands for now.
   * @internal
   */
  async whichModel(
    model: string,
    options: CallOptions & Pick<LoadOptions, "device"> = {},
  ): Promise<KnownModel> {
    parseArguments(modelArgument, { model });
    const { signal, device, onStatus } = options;
    const wanted = await this.#with(options, ({ loader }) =>
      loader.want(model, signal, device, onStatus),
    );
    return wanted.model;
  }

  /**
   * Takes a model out of memory.
   *
   * @throws FoundryError `MODEL_BUSY` while something uses it, `MODEL_NOT_FOUND`.
   */
  async unloadModel(model: string, options: UnloadOptions = {}): Promise<UnloadResult> {
    parseArguments(modelArgument, { model });
    checkOptions(unloadOptions, options);
    const { force = false } = options;
    return this.#with(options, async ({ loader }, signal) => {
      const { model: wanted } = await loader.want(model, signal);
      return { model: wanted.id, status: await loader.unload(wanted, signal, force) };
    });
  }

  /**
   * Whether the service stops generating when a completion is left; `null`: not known.
   * @internal
   */
  async stopsWhenLeft(): Promise<boolean | null> {
    const dialect = await this.#current.known?.service.knownDialect?.catch(() => null);
    return dialect?.can.stopsOnDisconnect ?? null;
  }

  /**
   * How the service is. Rejects for wrong options only: what is wrong with the service stands in
   * `problems`, each with its fix.
   */
  async healthCheck(options: CallOptions = {}): Promise<Health> {
    checkOptions(callOptions, options);
    const { signal, letGo } = this.#endOf(options.signal);
    try {
      const timeoutMs = this.#options.timeoutMs ?? 30_000;
      const context = { current: this.#current, metrics: this.#metrics, timeoutMs, signal };
      return await checkHealth(context);
    } finally {
      letGo();
    }
  }

  /**
   * How the service is, how it was looked for, and which command line is here: for `doctor`.
   * @internal
   */
  async diagnose(options: CallOptions = {}): Promise<Diagnosis> {
    const health = await this.healthCheck(options);
    const commandLine = await this.#current.commandLine();
    const { signal, letGo } = this.#endOf(options.signal);
    const version = commandLine?.version({ signal, timeoutMs: VERSION_MS }).finally(letGo);
    if (version === undefined) letGo();
    return {
      // The attempts are listed separately.
      health: {
        ...health,
        problems: health.problems.map(({ what, fix }) => ({ what: withoutAttempts(what), fix })),
      },
      attempts: this.#current.lastSearch?.attempts ?? [],
      searchMs: this.#current.lastSearchMs,
      commandLine:
        commandLine === null
          ? null
          : {
              path: commandLine.path,
              generation: commandLine.generation,
              version: (await version) ?? null,
            },
    };
  }

  /** Ends all requests in flight with `CLIENT_CLOSED` and frees the connections. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#current.close();
  }

  #defaultAmong(models: readonly KnownModel[]): string | null {
    try {
      const { model } = this.#options;
      return model === undefined
        ? chooseDefaultModel(models).model.id
        : resolveModel(model, models).id;
    } catch {
      // There is none among these; the completion that needs one says what to do.
      return null;
    }
  }

  /** Does something with the service in use, wherever it is now. */
  async #with<T>(
    { signal, onStatus: tell }: CallOptions,
    work: (connection: Connection, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (this.#closing.signal.aborted) throw closedError();
    const end = this.#endOf(signal);
    try {
      return await this.#current.use({ signal: end.signal, tell }, (connection) =>
        work(connection, end.signal),
      );
    } catch (thrown) {
      const error = this.#asEnded(toFoundryError(thrown), signal);
      this.#log.debug({ code: error.code, detail: error.detail }, error.message);
      throw error;
    } finally {
      end.letGo();
    }
  }

  #endOf(...signals: readonly (AbortSignal | undefined)[]): JoinedSignal {
    return joinedSignal(this.#closing.signal, ...signals);
  }

  /** Closing and the caller's own signal both end a call; only the latter is a cancellation. */
  #asEnded(error: FoundryError, signal: AbortSignal | undefined): FoundryError {
    const isOurs = this.#closing.signal.aborted && signal?.aborted !== true;
    return isOurs && error.code === "CANCELLED" ? closedError() : error;
  }

  async *#counted(
    run: (signal: AbortSignal) => AsyncGenerator<CompletionEvent, void>,
    progress: CompletionProgress,
    leaving: AbortSignal,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<CompletionEvent, void> {
    this.#metrics.began();
    const end = this.#endOf(leaving, signal);
    try {
      yield* run(end.signal);
    } catch (error) {
      // Nobody is there any more to be told.
      if (leaving.aborted && toFoundryError(error).code === "CANCELLED") return;
      throw this.#asEnded(toFoundryError(error), signal);
    } finally {
      end.letGo();
      // It failed before it began: no endpoint is set.
      if (!progress.hasEnded) progress.end("failed");
      const { status, usage } = progress.snapshot();
      const outcome = status === "completed" || status === "interrupted" || status === "cancelled";
      this.#metrics.ended(outcome ? status : "failed", usage.outputTokens ?? 0);
      this.#log.info({ completion: progress.id, status, usage }, "completion ended");
    }
  }
}

/** A name, and nothing else: callers in JavaScript are not stopped by types. */
const modelArgument = z.object({ model: completionFields.model });
const checkOptions = (schema: z.ZodType, options: unknown): void => {
  parseArguments(schema, options, { noun: "option" });
};
