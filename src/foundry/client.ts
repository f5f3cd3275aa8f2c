import { z } from "zod";
import { parseArguments } from "../arguments.js";
import { closedError, FoundryError, toFoundryError } from "../errors.js";
import { type Logger, silentLogger } from "../log.js";
import { Metrics } from "../metrics.js";
import type { Completion, CompletionEvent } from "./completion/completion.js";
import { prepareMessages } from "./completion/messages.js";
import { CompletionProgress } from "./completion/progress.js";
import type { CompletionRequest } from "./completion/request.js";
import { completionFields, completionRequestSchema } from "./completion/request-schema.js";
import { runCompletion } from "./completion/run.js";
import { CompletionStream } from "./completion/stream.js";
import { checkHealth, type Health } from "./health.js";
import { ModelLoader } from "./loading.js";
import { chooseDefaultModel, type Device, type KnownModel, resolveModel } from "./models/index.js";
import type { FoundryClientOptions } from "./options.js";
import { Service } from "./service.js";

/** What every method takes besides its own arguments. */
export interface CallOptions {
  /** Aborting it ends the call at once with the error `CANCELLED`. */
  readonly signal?: AbortSignal | undefined;
}

export interface LoadOptions extends CallOptions {
  /** Load the variant for this device. Default: the variant that is ready, or the service's choice. */
  readonly device?: Device | undefined;
}

export interface LoadResult {
  /** Exact id of the model that is in memory now. */
  readonly model: string;
  readonly status: "loaded" | "already_loaded";
  readonly elapsedMs: number;
}

export interface UnloadResult {
  readonly model: string;
  readonly status: "unloaded" | "not_loaded";
}

export interface ModelListResult {
  readonly models: readonly KnownModel[];
  /** Exact id of the model that a completion without `model` would use; `null` where there is none. */
  readonly defaultModel: string | null;
  /** What is missing from the list and why. */
  readonly warning: string | null;
}

/**
 * A client of Foundry Local, whichever server answers at the endpoint. Every method rejects with a
 * {@link FoundryError}; the codes named below are those that are particular to it, and all can also
 * meet `SERVICE_UNREACHABLE`, `CIRCUIT_OPEN`, `NOT_FOUNDRY`, `TIMEOUT`, `CANCELLED`, `CLIENT_CLOSED`.
 *
 * @example
 * const client = new FoundryClient({ endpoint: "http://127.0.0.1:5273" });
 * const { text } = await client.complete({ prompt: "Why is the sky blue?" });
 * await client.close();
 */
export class FoundryClient {
  readonly #options: FoundryClientOptions;
  readonly #log: Logger;
  readonly #metrics = new Metrics();
  readonly #service: Service | null;
  readonly #loader: ModelLoader | null;
  readonly #closing = new AbortController();

  constructor(options: FoundryClientOptions = {}) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#service = options.endpoint === undefined ? null : new Service(options.endpoint, options);
    this.#loader = this.#service === null ? null : new ModelLoader(this.#service, options.model);
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
  streamComplete(request: CompletionRequest, options: CallOptions = {}): CompletionStream {
    const checked = parseArguments(completionRequestSchema, request);
    const { messages, characters, warnings } = prepareMessages(checked);
    const now = (): number => performance.now();
    const progress = new CompletionProgress(characters, now);
    progress.warnings.push(...warnings);
    const run = (signal: AbortSignal): AsyncGenerator<CompletionEvent, void> =>
      runCompletion(checked, messages, progress, {
        ...this.#parts(),
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
    const { service } = this.#parts();
    const { models, warning } = await this.#noted(service.listAvailable(options.signal));
    return { models, warning, defaultModel: this.#defaultAmong(models) };
  }

  /**
   * Loads a model by alias, name or id. Waits until it is in memory, at most `loadTimeoutMs`. Giving
   * up does not stop the service from loading it.
   *
   * @throws FoundryError `MODEL_NOT_FOUND`, `MODEL_NOT_CACHED`, `LOAD_FAILED`, `EP_UNAVAILABLE`,
   *   `UNSUPPORTED_BY_SERVER` where the service loads models by itself.
   */
  async loadModel(model: string, options: LoadOptions = {}): Promise<LoadResult> {
    parseArguments(modelArgument, { model });
    const { loader } = this.#parts();
    const startedAt = performance.now();
    const outcome = await this.#noted(
      loader
        .want(model, options.signal, options.device)
        .then((wanted) => loader.load(wanted, options.signal)),
    );
    const elapsedMs = Math.round(performance.now() - startedAt);
    return { model: outcome.model.id, status: outcome.status, elapsedMs };
  }

  /**
   * Takes a model out of memory.
   *
   * @throws FoundryError `MODEL_BUSY` while something uses it, `MODEL_NOT_FOUND`.
   */
  async unloadModel(model: string, options: CallOptions = {}): Promise<UnloadResult> {
    parseArguments(modelArgument, { model });
    const { loader } = this.#parts();
    const { model: wanted } = await this.#noted(loader.want(model, options.signal));
    const status = await this.#noted(loader.unload(wanted, options.signal));
    return { model: wanted.id, status };
  }

  /** How the service is. Never rejects: what is wrong stands in `problems`, each with its fix. */
  async healthCheck(options: CallOptions = {}): Promise<Health> {
    return checkHealth({
      service: this.#service,
      loader: this.#loader,
      metrics: this.#metrics,
      noEndpoint: noEndpointError(),
      timeoutMs: this.#options.timeoutMs ?? 30_000,
      signal: options.signal,
    });
  }

  /** Ends all requests in flight with `CLIENT_CLOSED` and frees the connections. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#service?.close();
  }

  #parts(): { service: Service; loader: ModelLoader } {
    if (this.#service === null || this.#loader === null) throw noEndpointError();
    return { service: this.#service, loader: this.#loader };
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

  /** Lets the service know what went wrong, since it may have become another one. */
  async #noted<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (thrown) {
      const error = toFoundryError(thrown);
      this.#service?.noteError(error);
      this.#log.debug({ code: error.code, detail: error.detail }, error.message);
      throw error;
    }
  }

  async *#counted(
    run: (signal: AbortSignal) => AsyncGenerator<CompletionEvent, void>,
    progress: CompletionProgress,
    leaving: AbortSignal,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<CompletionEvent, void> {
    const signals = [this.#closing.signal, leaving, ...(signal === undefined ? [] : [signal])];
    this.#metrics.began();
    try {
      yield* run(AbortSignal.any(signals));
    } catch (error) {
      // Nobody is there any more to be told.
      if (leaving.aborted && toFoundryError(error).code === "CANCELLED") return;
      // Both end a call by its signal; only the caller's own is a cancellation.
      const isOurs = this.#closing.signal.aborted && signal?.aborted !== true;
      throw isOurs && toFoundryError(error).code === "CANCELLED" ? closedError() : error;
    } finally {
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

function noEndpointError(): FoundryError {
  return new FoundryError("NO_ENDPOINT", "No endpoint of Foundry Local is set.", {
    action:
      "Start Foundry Local (`foundry server start`), then give its address, which `foundry server status` prints as Web URLs: the setting FOUNDRY_ENDPOINT of the server, the option `endpoint` of the library.",
  });
}
