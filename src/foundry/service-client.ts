import {
  assertObject,
  closedError,
  endedError,
  isCancellation,
  joinedSignal,
  type MeteredTrace,
  MetricsRecorder,
  type Operation,
  parseArguments,
  type SecretMask,
  throwIfAborted,
  toFoundryError,
  traceFields,
  withCallId,
} from "../lib/index.js";
import { type Logger, silentLogger } from "../log.js";
import type { Machine } from "../platform/index.js";
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
  modelFor,
  noteEnd,
  prepareMessages,
  ServiceCompletion,
} from "./completion/index.js";
import { type Connection, CurrentService } from "./current-service.js";
import { leftOutWarning } from "./dialects/index.js";
import { withoutAttempts } from "./discovery/index.js";
import { type EmbedOptions, type EmbedResult, embed } from "./embedding/index.js";
import { checkHealth, type Diagnosis, type ServiceHealth } from "./health/index.js";
import { unloadModel } from "./loading/index.js";
import {
  chooseDefaultModel,
  DEFAULT_MODEL,
  isAuto,
  type KnownModel,
  resolveModel,
} from "./models/index.js";
import {
  callOptions,
  checkOptions,
  loadOptions,
  modelArgument,
  unloadOptions,
} from "./option-schema.js";
import {
  type CircuitState,
  type FoundryClientOptions,
  secretsIn,
  withCredentialsAsHeader,
} from "./options.js";
import { learnSpeed, type SpeedMemory, STALL_MS, stallLimit } from "./speed-memory.js";
import { assertJsonSchema } from "./structured/index.js";
import { downloaded, loaded, type WorkCall } from "./work-call.js";

/** @internal */
export interface StreamOptions extends CallOptions {
  /** Id of the completion. Default: a new one. */
  readonly id?: string | undefined;
}

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
  readonly metrics = new MetricsRecorder();
  readonly #current: CurrentService;
  readonly #secrets: SecretMask;
  readonly #closing = new AbortController();

  /** @param machine Where Foundry Local is looked for; another than this one only in tests. */
  constructor(options: FoundryClientOptions = {}, machine?: Machine) {
    this.#options = withCredentialsAsHeader(options);
    this.#secrets = secretsIn(this.#options);
    this.#log = options.log ?? silentLogger;
    this.#current = new CurrentService(this.#options, machine, this.metrics);
  }

  /** A completion that the caller prepares, queues and runs. The options have been checked. */
  openCompletion(request: CompletionRequest, options: StreamOptions = {}): ServiceCompletion {
    const advice = 'Give a request such as { prompt: "Why is the sky blue?" }.';
    assertObject("The request is", request, advice);
    const checked = parseArguments(completionRequestSchema, request);
    if (checked.schema !== undefined) assertJsonSchema(checked.schema);
    const { messages, characters, warnings } = prepareMessages(checked);
    const now = (): number => performance.now();
    const { reasoning } = checked;
    const progress = new CompletionProgress(characters, now, options.id, warnings, reasoning);
    const call = this.metrics.begin("complete", options.trace?.traceparent);
    const trace = { ...options.trace, id: progress.id, traffic: call.traffic };
    return new ServiceCompletion({
      request: checked,
      messages,
      progress,
      trace,
      current: this.#current,
      onStatus: options.onStatus,
      maxTokens: this.#options.maxTokens ?? 1024,
      stallLimitMs: (model, tokens) =>
        this.#options.stallTimeoutMs ?? stallLimit(this.speeds?.ofId(model) ?? null, tokens),
      now,
      closing: this.#closing.signal,
      secrets: this.#secrets,
      signal: options.signal,
      onEnd: (ended) => {
        learnSpeed(this.speeds, ended);
        noteEnd(ended, { trace, log: this.#log, call });
      },
    });
  }

  async listModels(options: CallOptions = {}): Promise<ModelListResult> {
    checkOptions(callOptions, options);
    const listed = await this.#with(options, "list", ({ service }, call) =>
      service.models.available(call),
    );
    const { models } = listed;
    const warnings = [listed.warning, leftOutWarning(listed.leftOut)];
    const warning = warnings.filter((said) => said !== null).join(" ") || null;
    return { models, warning, defaultModel: this.#defaultAmong(models) };
  }

  /** The vectors of texts, in the order of the texts. The arguments have been checked. */
  async embed(texts: readonly string[], options: EmbedOptions = {}): Promise<EmbedResult> {
    const { model, onStatus } = options;
    const stallTimeoutMs = this.#options.stallTimeoutMs ?? STALL_MS;
    return this.#with(options, "embed", (connection, call) =>
      embed(connection, texts, { model, stallTimeoutMs, onStatus, ...call }),
    );
  }

  /** Loads a model, downloaded first where that is asked for. */
  async loadModel(model: string, options: LoadOptions = {}): Promise<LoadResult> {
    parseArguments(modelArgument, { model });
    checkOptions(loadOptions, options);
    const startedAt = performance.now();
    const warnings = new Set<string>();
    const { id, status } = await this.#with(options, "load", (connection, call) =>
      loaded(model, connection, { ...options, ...call, warnings }),
    );
    const elapsedMs = Math.round(performance.now() - startedAt);
    return { model: id, status, elapsedMs, warnings: [...warnings] };
  }

  /** Downloads a model without loading it. */
  async downloadModel(model: string, options: LoadOptions = {}): Promise<DownloadResult> {
    parseArguments(modelArgument, { model });
    checkOptions(loadOptions, options);
    return this.#with(options, "download", (connection, call) =>
      downloaded(model, connection, { ...options, ...call }),
    );
  }

  /** Which model a name stands for now. Without a name, the default model. */
  async whichModel(
    model: string | undefined,
    options: CallOptions & Pick<LoadOptions, "device"> = {},
  ): Promise<KnownModel> {
    if (model !== undefined) parseArguments(modelArgument, { model });
    const { device, onStatus } = options;
    const resolved = await this.#with(options, null, ({ loader }, call) =>
      loader.resolveModel(model, { ...call, device, onStatus }),
    );
    return resolved.model;
  }

  /** Which model a completion with this request would use now. */
  async modelFor(
    given: CompletionRequest,
    { onStatus, ...options }: CallOptions = {},
  ): Promise<KnownModel> {
    const request = parseArguments(completionRequestSchema, given);
    const { maxTokens = 1024 } = this.#options;
    return this.#with(options, null, ({ loader }, call) =>
      modelFor(loader, request, maxTokens, { ...call, onStatus }),
    );
  }

  /**
   * The missing model that a call could download; `null` if it is there, or there is no way to
   * download it. Without a name, the default model.
   */
  async downloadOffer(
    name: string | undefined,
    { device, ...options }: CallOptions & Pick<LoadOptions, "device"> = {},
  ): Promise<KnownModel | null> {
    return this.#with(options, null, async ({ loader, downloader }, call) => {
      const wanted = name ?? this.#options.model ?? DEFAULT_MODEL;
      const { model } = await loader.resolveModel(wanted, { ...call, device });
      if (model.downloaded !== false) return null;
      return (await downloader.canDownload(model, call.signal)) ? model : null;
    });
  }

  async unloadModel(model: string, options: UnloadOptions = {}): Promise<UnloadResult> {
    parseArguments(modelArgument, { model });
    checkOptions(unloadOptions, options);
    const { device, force } = options;
    return this.#with(options, "unload", async ({ loader, service }, call) => {
      const { model: resolved } = await loader.resolveModel(model, { ...call, device });
      call.onModel(resolved.id);
      const status = await unloadModel(service, resolved, { ...call, force });
      return { model: resolved.id, status };
    });
  }

  /** Whether the service stops generating when a completion is left; `null`: not known. */
  async stopsWhenLeft(): Promise<boolean | null> {
    const dialect = await this.#current.known?.service.knownDialect?.catch(() => null);
    return dialect?.can.stopsOnDisconnect ?? null;
  }

  /** @param reportsFailing `false`: the caller itself reports how its completions failed. */
  async healthCheck(options: CallOptions = {}, reportsFailing = true): Promise<ServiceHealth> {
    checkOptions(callOptions, options);
    return checkHealth({
      current: this.#current,
      metrics: this.metrics,
      timeoutMs: this.#options.timeoutMs ?? 30_000,
      signal: options.signal,
      closing: this.#closing.signal,
      reportsFailing,
    });
  }

  /**
   * How the service is, how it was looked for, and which command line is here: for `doctor`.
   * @internal
   */
  async diagnose(options: CallOptions = {}): Promise<Diagnosis> {
    let health = await this.healthCheck(options, false);
    const cli = await this.#current.discovery.cli();
    const { attempts = [], ms: searchMs = null } = this.#current.lastSearch ?? {};
    let commandLine: Diagnosis["commandLine"] = null;
    if (cli !== null) {
      const { signal, dispose } = joinedSignal(this.#closing.signal, options.signal);
      try {
        const version = await cli.version({ signal });
        // With a set endpoint no search has asked it, and a search does not wait for a slow one.
        const mayAnswer = this.#current.lastSearch === null || version !== null;
        if (cli.generation === null && mayAnswer) {
          await cli.status({ signal });
          if (cli.generation !== null) health = await this.healthCheck(options, false);
        }
        commandLine = { path: cli.path, generation: cli.generation, version };
      } finally {
        dispose();
      }
    }
    // The attempts are listed separately.
    const problems = health.problems.map(({ what, fix }) => ({ what: withoutAttempts(what), fix }));
    return { health: { ...health, problems }, attempts, searchMs, commandLine };
  }

  /** The service in use and the state of its circuit breaker, without a request; `null`: none yet. */
  get inUse(): { readonly endpoint: string; readonly state: CircuitState } | null {
    const { service } = this.#current.known ?? {};
    if (service === undefined) return null;
    return { endpoint: service.endpoint, state: service.transport.circuit.state };
  }

  /** Aborted when the client is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Ends all requests in flight with `CLIENT_CLOSED` and frees the connections. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#current.close(), this.speeds?.flush()]);
  }

  #defaultAmong(models: readonly KnownModel[]): string | null {
    try {
      const { model } = this.#options;
      return model === undefined || isAuto(model, models)
        ? chooseDefaultModel(models).model.id
        : resolveModel(model, models).id;
    } catch {
      // There is none among these; the completion that needs one says what to do.
      return null;
    }
  }

  /** Does something with the service in use, wherever it is now. Without an operation it is not counted. */
  async #with<T>(
    { signal, onStatus, trace: given }: CallOptions,
    operation: Operation | null,
    work: (connection: Connection, call: WorkCall) => Promise<T>,
  ): Promise<T> {
    if (this.#closing.signal.aborted) throw closedError();
    throwIfAborted(signal);
    const end = joinedSignal(this.#closing.signal, signal);
    const counted = this.metrics.begin(operation, given?.traceparent);
    const { traffic } = counted;
    const trace: MeteredTrace = { ...withCallId(given), traffic };
    const onModel = (id: string): void => {
      counted.model = id;
    };
    let attempts = 0;
    try {
      const context = { signal: end.signal, onStatus, operation };
      const result = await this.#current.use(context, (connection) => {
        attempts += 1;
        if (attempts > 1) traffic.retries += 1;
        return work(connection, { signal: end.signal, trace, onModel });
      });
      counted.end("completed", null);
      return result;
    } catch (thrown) {
      const failure = toFoundryError(thrown).withoutSecrets(this.#secrets);
      const error = endedError(failure, signal, this.#closing.signal);
      const { code, message, detail } = error;
      counted.end(isCancellation(error) ? "cancelled" : "failed", code);
      this.#log.debug({ ...traceFields(trace), code }, "call failed");
      // What a service says may quote the texts of the call.
      this.#log.trace({ ...traceFields(trace), error: message, detail }, "what failed");
      throw error;
    } finally {
      end.dispose();
    }
  }
}
