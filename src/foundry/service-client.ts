import {
  closedError,
  endedError,
  type JoinedSignal,
  joinedSignal,
  parseArguments,
  type Trace,
  throwIfAborted,
  toFoundryError,
  traceFields,
  withCallId,
} from "../lib/index.js";
import { type Logger, silentLogger } from "../log.js";
import type { Machine } from "../platform/index.js";
import {
  assertObject,
  callOptions,
  checkOptions,
  loadOptions,
  modelArgument,
  streamOptions,
  unloadOptions,
} from "./call-options.js";
import type {
  CallOptions,
  DownloadResult,
  LoadOptions,
  LoadResult,
  ModelListResult,
  UnloadOptions,
  UnloadResult,
} from "./calls.js";
import {
  CompletionProgress,
  type CompletionRequest,
  completionRequestSchema,
  type EndedCompletion,
  Metrics,
  prepareMessages,
  ServiceCompletion,
} from "./completion/index.js";
import { type Connection, CurrentService } from "./connection/index.js";
import type { Diagnosis } from "./diagnosis.js";
import { leftOutWarning } from "./dialects/index.js";
import { withoutAttempts } from "./discovery/index.js";
import { type EmbedOptions, type EmbedResult, embed } from "./embedding/index.js";
import { checkHealth, type ServiceHealth } from "./health/index.js";
import { unloadModel } from "./loading/index.js";
import {
  chooseDefaultModel,
  DEFAULT_MODEL,
  type KnownModel,
  resolveModel,
} from "./models/index.js";
import type { FoundryClientOptions } from "./options.js";
import { learnSpeed, type SpeedMemory } from "./speeds/index.js";
import { assertJsonSchema } from "./structured/index.js";

/** @internal */
export interface StreamOptions extends CallOptions {
  /** Id of the completion. Default: a new one. */
  readonly id?: string | undefined;
}

/** What ends a call, and what its requests carry. */
interface WorkCall {
  readonly signal: AbortSignal;
  readonly trace: Trace;
}

/** A command line that works answers that in much less; one that hangs has cost time already. */
const VERSION_MS = 4000;

/**
 * Requests to the service in use, wherever it is now: no queue in front of its models. The public client
 * holds one of these.
 * @internal
 */
export class ServiceClient {
  /** Where the speeds of models are remembered. Default: nowhere. */
  speeds: SpeedMemory | null = null;
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

  /** A completion that the caller prepares, queues and runs. */
  openCompletion(request: CompletionRequest, options: StreamOptions = {}): ServiceCompletion {
    assertObject("The request is", request, REQUEST_ADVICE);
    const checked = parseArguments(completionRequestSchema, request);
    if (checked.schema !== undefined) assertJsonSchema(checked.schema);
    checkOptions(streamOptions, options);
    const { messages, characters, warnings } = prepareMessages(checked);
    const now = (): number => performance.now();
    const { reasoning } = checked;
    const progress = new CompletionProgress(characters, now, options.id, warnings, reasoning);
    const trace = { ...options.trace, id: progress.id };
    return new ServiceCompletion({
      request: checked,
      messages,
      progress,
      trace,
      current: this.#current,
      onStatus: options.onStatus,
      maxTokens: this.#options.maxTokens ?? 1024,
      stallTimeoutMs: this.#options.stallTimeoutMs ?? 300_000,
      now,
      closing: this.#closing.signal,
      signal: options.signal,
      onEnd: (ended) => this.#noteEnd(ended, trace),
    });
  }

  #noteEnd(ended: EndedCompletion, trace: Trace): void {
    const { completion, failure } = ended;
    const { status, model, usage, timing, attempts, cached } = completion;
    learnSpeed(this.speeds, ended);
    const isEnd = status === "completed" || status === "interrupted" || status === "cancelled";
    this.#metrics.ended(isEnd ? status : "failed", cached ? 0 : (usage.outputTokens ?? 0));
    const tokens = { input: usage.inputTokens, output: usage.outputTokens };
    const fields = { ...traceFields(trace), status, model, ms: timing.totalMs, tokens, attempts };
    if (failure === null || status === "cancelled") {
      this.#log.debug(fields, "completion ended");
    } else {
      const { code, requestId } = failure;
      this.#log.warn({ ...fields, code, requestId }, "completion failed");
    }
  }

  async listModels(options: CallOptions = {}): Promise<ModelListResult> {
    checkOptions(callOptions, options);
    const listed = await this.#with(options, ({ service }, call) => service.models.available(call));
    const { models } = listed;
    const warnings = [listed.warning, leftOutWarning(listed.leftOut)];
    const warning = warnings.filter((said) => said !== null).join(" ") || null;
    return { models, warning, defaultModel: this.#defaultAmong(models) };
  }

  /** The vectors of texts, in the order of the texts. The arguments have been checked. */
  async embed(texts: readonly string[], options: EmbedOptions = {}): Promise<EmbedResult> {
    const { model, onStatus } = options;
    const stallTimeoutMs = this.#options.stallTimeoutMs ?? 300_000;
    return this.#with(options, (connection, call) =>
      embed(connection, texts, { model, stallTimeoutMs, onStatus, ...call }),
    );
  }

  /** Loads a model, downloaded first where that is asked for. */
  async loadModel(model: string, options: LoadOptions = {}): Promise<LoadResult> {
    parseArguments(modelArgument, { model });
    checkOptions(loadOptions, options);
    const { device, download, force = false, onStatus } = options;
    const startedAt = performance.now();
    const warnings = new Set<string>();
    const outcome = await this.#with(options, async (connection, call) => {
      const { loader } = connection;
      let resolved = await loader.resolveModel(model, { ...call, device, onStatus });
      if (download === true && resolved.model.downloaded !== true) {
        const own = { ...call, force, onStatus };
        for (const warning of await downloaded(resolved.model, connection, own)) {
          warnings.add(warning);
        }
        resolved = await loader.resolveModel(model, { ...call, device });
      }
      const { idleSeconds } = options;
      const { signal, trace } = call;
      return loader.load(resolved, signal, { idleSeconds, force, onStatus, trace });
    });
    for (const warning of outcome.warnings) warnings.add(warning);
    const elapsedMs = Math.round(performance.now() - startedAt);
    return { model: outcome.model.id, status: outcome.status, elapsedMs, warnings: [...warnings] };
  }

  /** Downloads a model without loading it. */
  async downloadModel(model: string, options: LoadOptions = {}): Promise<DownloadResult> {
    parseArguments(modelArgument, { model });
    checkOptions(loadOptions, options);
    const { device, force = false, onStatus } = options;
    return this.#with(options, async (connection, call) => {
      const resolved = await connection.loader.resolveModel(model, { ...call, device, onStatus });
      const { id } = resolved.model;
      if (resolved.model.downloaded === true) {
        return { model: id, status: "already_downloaded", warnings: [] };
      }
      const warnings = await downloaded(resolved.model, connection, {
        ...call,
        force,
        onStatus,
      });
      return { model: id, status: "downloaded", warnings };
    });
  }

  /** Which model a name stands for now. */
  async whichModel(
    model: string,
    options: CallOptions & Pick<LoadOptions, "device"> = {},
  ): Promise<KnownModel> {
    parseArguments(modelArgument, { model });
    const { device, onStatus } = options;
    const resolved = await this.#with(options, ({ loader }, call) =>
      loader.resolveModel(model, { ...call, device, onStatus }),
    );
    return resolved.model;
  }

  /**
   * The missing model that a call could download; `null` if it is there, or there is no way to
   * download it. Without a name, the default model.
   */
  async downloadOffer(
    name: string | undefined,
    { device, ...options }: CallOptions & Pick<LoadOptions, "device"> = {},
  ): Promise<KnownModel | null> {
    return this.#with(options, async ({ loader, downloader }, call) => {
      const wanted = name ?? this.#options.model ?? DEFAULT_MODEL;
      const { model } = await loader.resolveModel(wanted, { ...call, device });
      if (model.downloaded !== false) return null;
      return (await downloader.canDownload(model, call.signal)) ? model : null;
    });
  }

  async unloadModel(model: string, options: UnloadOptions = {}): Promise<UnloadResult> {
    parseArguments(modelArgument, { model });
    checkOptions(unloadOptions, options);
    const { force = false } = options;
    return this.#with(options, async ({ loader, service }, call) => {
      const { model: resolved } = await loader.resolveModel(model, call);
      const { signal, trace } = call;
      const status = await unloadModel(service, resolved, signal, { force, trace });
      return { model: resolved.id, status };
    });
  }

  /** Whether the service stops generating when a completion is left; `null`: not known. */
  async stopsWhenLeft(): Promise<boolean | null> {
    const dialect = await this.#current.known?.service.knownDialect?.catch(() => null);
    return dialect?.can.stopsOnDisconnect ?? null;
  }

  async healthCheck(options: CallOptions = {}): Promise<ServiceHealth> {
    checkOptions(callOptions, options);
    const { signal, dispose } = this.#endOf(options.signal);
    try {
      const timeoutMs = this.#options.timeoutMs ?? 30_000;
      const context = { current: this.#current, metrics: this.#metrics, timeoutMs, signal };
      return await checkHealth(context);
    } finally {
      dispose();
    }
  }

  /**
   * How the service is, how it was looked for, and which command line is here: for `doctor`.
   * @internal
   */
  async diagnose(options: CallOptions = {}): Promise<Diagnosis> {
    const health = await this.healthCheck(options);
    const commandLine = await this.#current.commandLine();
    const { signal, dispose } = this.#endOf(options.signal);
    const version = commandLine?.version({ signal, timeoutMs: VERSION_MS }).finally(dispose);
    if (version === undefined) dispose();
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
    await Promise.all([this.#current.close(), this.speeds?.flush()]);
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
    { signal, onStatus, trace: given }: CallOptions,
    work: (connection: Connection, call: WorkCall) => Promise<T>,
  ): Promise<T> {
    if (this.#closing.signal.aborted) throw closedError();
    throwIfAborted(signal);
    const end = this.#endOf(signal);
    const trace = withCallId(given);
    try {
      return await this.#current.use({ signal: end.signal, onStatus }, (connection) =>
        work(connection, { signal: end.signal, trace }),
      );
    } catch (thrown) {
      const error = endedError(toFoundryError(thrown), signal, this.#closing.signal);
      const { code, message, detail } = error;
      this.#log.debug({ ...traceFields(trace), code }, "call failed");
      // What a service says may quote the texts of the call.
      this.#log.trace({ ...traceFields(trace), error: message, detail }, "what failed");
      throw error;
    } finally {
      end.dispose();
    }
  }

  #endOf(...signals: readonly (AbortSignal | undefined)[]): JoinedSignal {
    return joinedSignal(this.#closing.signal, ...signals);
  }
}

/** Downloads a model that may be missing; resolves with what was tight, each a sentence. */
async function downloaded(
  model: KnownModel,
  { downloader, capacity }: Connection,
  { force, ...options }: WorkCall & Pick<CallOptions, "onStatus"> & { readonly force: boolean },
): Promise<readonly string[]> {
  const warnings =
    model.downloaded === false ? await capacity.assertDownloadable(model, force) : [];
  await downloader.download(model, options);
  return warnings;
}

const REQUEST_ADVICE = 'Give a request such as { prompt: "Why is the sky blue?" }.';
