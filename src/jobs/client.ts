import {
  type CallOptions,
  type CircuitState,
  type Completion,
  type CompletionRequest,
  checkOptions,
  type EmbedOptions,
  type EmbedResult,
  embedOptions,
  type Health,
  isTyped,
  jsonSchemaOf,
  type LoadOptions,
  type LoadResult,
  type ModelListResult,
  parsedBy,
  queryArgument,
  type RankOptions,
  type RankResult,
  ranked,
  rankOptions,
  readingMs,
  ServiceClient,
  type TypedBy,
  textsArgument,
  type UnloadOptions,
  type UnloadResult,
} from "../foundry/index.js";
import {
  endedError,
  joinedSignal,
  parseArguments,
  type RecordedMetrics,
  toFoundryError,
} from "../lib/index.js";
import type { Machine } from "../platform/index.js";
import type { BatchResult } from "./batch.js";
import { Batches, batchResults, type CompleteBatchOptions } from "./batches.js";
import { checkedOptions, type FoundryClientOptions } from "./client-options.js";
import { type CompleteOptions, completeOptions } from "./completion-options.js";
import type { CompletionStream } from "./completion-stream.js";
import { Completions } from "./completions.js";
import { Loads } from "./loads.js";
import { type RunRequest, type RunResult, runTools } from "./run-tools.js";

/** What a client has done. */
export interface ClientMetrics extends RecordedMetrics {
  /** Of the service in use; `null`: none was needed yet. */
  readonly endpoint: string | null;
  /** How often the circuit breaker of an endpoint opened and closed, and its state at the service in use. */
  readonly circuit: RecordedMetrics["circuit"] & { readonly state: CircuitState | null };
  /** Completions of this client that have a place and that wait, now. */
  readonly queue: { readonly running: number; readonly waiting: number };
}

/** A completion whose value a schema types, such as one of zod. */
export type TypedRequest<T> = Omit<CompletionRequest, "schema" | "tools" | "toolChoice"> &
  TypedBy<T>;

/**
 * A client of Foundry Local and of other engines. Without an endpoint it finds the service of this
 * machine when it is first needed, starts an installed one, and finds it again when it moves. Every
 * method rejects with a {@link FoundryError}. The codes named below are particular to the method; each
 * method can also reject with `NO_ENDPOINT`, `SERVICE_UNREACHABLE`, `CIRCUIT_OPEN`,
 * `NOT_FOUNDRY`, `TIMEOUT`, `CANCELLED`, `CLIENT_CLOSED`.
 *
 * Completions wait in the queue of their model, and can outlive the call that started them.
 *
 * @example
 * const client = new FoundryClient();
 * const { text } = await client.complete({ prompt: "Why is the sky blue?" });
 * await client.close();
 */
export class FoundryClient {
  /** Completions that outlive a call: `start`, `get`, `wait`, `cancel`, `list`. */
  readonly completions: Completions;
  /** Loads and downloads that outlive a call: `start`, `wait`, `stop`. */
  readonly loads: Loads;
  /** @internal For the tool: its batches continue from call to call. */
  readonly batches: Batches;
  /** @internal For what only the server and the commands need of the service. */
  readonly service: ServiceClient;
  #closing: Promise<unknown> | null = null;

  /**
   * @throws FoundryError `INVALID_ARGUMENT` with all options that are wrong, `INVALID_SETTING` for a key or headers that
   *   HTTP does not allow.
   */
  constructor(options?: FoundryClientOptions);
  /**
   * @param machine Where Foundry Local is looked for; another than this one only in tests.
   * @internal
   */
  constructor(options?: FoundryClientOptions, machine?: Machine);
  constructor(options: FoundryClientOptions = {}, machine?: Machine) {
    const checked = checkedOptions(options);
    this.service = new ServiceClient(options, machine);
    this.completions = new Completions(this.service, checked);
    this.batches = new Batches(this.completions);
    this.loads = new Loads(this.service, checked);
  }

  /**
   * Completes a prompt or a conversation. Loads the model first if needed. Waits for the whole answer;
   * only the silence of the service is limited (`stallTimeoutMs`).
   *
   * @throws FoundryError `INVALID_ARGUMENT`, `MODEL_NOT_FOUND`, `MODEL_NOT_CACHED`, `LOAD_FAILED`,
   *   `MODEL_CANNOT_CHAT`, `CONTEXT_LENGTH_EXCEEDED`, `INFERENCE_FAILED`, `STREAM_INTERRUPTED`,
   *   `SERVER_CRASHED`. `streamComplete` has the text that came before a failure.
   *
   * With a `schema` the answer is a value, `data`. A schema of zod, or of another library with Standard
   * JSON Schema, gives it a type, and applies its own checks and conversions to it.
   *
   * @throws FoundryError `SCHEMA_MISMATCH` where the answer does not fit the schema after two corrections.
   * @example
   * const City = z.object({ name: z.string(), inhabitants: z.number() });
   * const { data } = await client.complete({ prompt: "The largest city of Norway?", schema: City });
   * data.inhabitants; // a number
   */
  complete<T>(
    request: TypedRequest<T>,
    options?: CompleteOptions,
  ): Promise<Completion & { readonly data: T }>;
  complete(request: CompletionRequest, options?: CompleteOptions): Promise<Completion>;
  async complete(
    request: CompletionRequest | TypedRequest<unknown>,
    options: CompleteOptions = {},
  ): Promise<Completion> {
    if (!isTyped(request)) return this.#complete(request, options);
    const { schema, ...rest } = request;
    const completion = await this.#complete({ ...rest, schema: jsonSchemaOf(schema) }, options);
    return { ...completion, data: await parsedBy(schema, completion.data) };
  }

  /**
   * Completes and runs the tools that the model calls, until it answers. What a tool throws, and arguments that
   * do not fit its schema, are given to the model as words. Rejects as {@link FoundryClient.complete}.
   */
  async run(request: RunRequest, options: CompleteOptions = {}): Promise<RunResult> {
    checkOptions(completeOptions, options);
    const { closing } = this.service;
    const end = joinedSignal(closing, options.signal);
    try {
      return await runTools((asked) => this.#complete(asked, options), request, end.signal);
    } catch (thrown) {
      throw endedError(toFoundryError(thrown), options.signal, closing);
    } finally {
      end.dispose();
    }
  }

  async #complete(request: CompletionRequest, options: CompleteOptions): Promise<Completion> {
    const stream = this.streamComplete(request, options);
    for await (const _event of stream) {
      // The snapshot has the result.
    }
    return stream.snapshot();
  }

  /**
   * Like {@link FoundryClient.complete}, with each piece as it comes. Leaving the loop ends the
   * request.
   *
   * @example
   * for await (const event of client.streamComplete({ prompt: "Tell me a story" })) {
   *   if (event.type === "text") process.stdout.write(event.text);
   * }
   */
  streamComplete(request: CompletionRequest, options: CompleteOptions = {}): CompletionStream {
    checkOptions(completeOptions, options);
    return this.completions.stream(request, options);
  }

  /**
   * Completes many requests, and yields each result when it has ended. A failure or an invalid request
   * does not affect the others: `state.error` says why. Leaving the loop stops the others. The batch
   * begins when it is first iterated.
   *
   * @param requests 1 to 500.
   * @throws FoundryError `INVALID_ARGUMENT` for none or too many of them, or an invalid `concurrency`; at
   *   the first step `QUEUE_FULL` when too many batches are in progress.
   * @example
   * for await (const { index, state } of client.completeBatch(requests)) {
   *   answers[index] = state.error?.message ?? state.text;
   * }
   */
  completeBatch(
    requests: readonly CompletionRequest[],
    options: CompleteBatchOptions = {},
  ): AsyncIterableIterator<BatchResult, void> {
    return batchResults(this.batches, requests, options);
  }

  /**
   * The embeddings of texts, one vector for each, in the order of the texts. The model is loaded first if
   * needed. Only a model that is known to make embeddings is ever sent to Foundry Local.
   *
   * @param texts 1 to 1000.
   * @throws FoundryError `MODEL_CANNOT_EMBED`, `MODEL_NOT_FOUND`, `MODEL_NOT_CACHED`,
   *   `UNSUPPORTED_BY_SERVER` by the service of the old command line.
   * @example
   * const { vectors } = await client.embed(["a cat", "a dog"]);
   */
  async embed(texts: readonly string[], options: EmbedOptions = {}): Promise<EmbedResult> {
    // A copy: the caller may change its list before the service is asked.
    const { texts: given } = parseArguments(textsArgument, { texts });
    checkOptions(embedOptions, options);
    return this.service.embed(given, options);
  }

  /**
   * Texts by their similarity with a query, the nearest first, by the cosine of their embeddings.
   *
   * @throws FoundryError as {@link FoundryClient.embed}.
   * @example
   * const { ranking } = await client.rank("How do I reset it?", paragraphs);
   * const [best] = ranking;
   */
  async rank(
    query: string,
    texts: readonly string[],
    options: RankOptions = {},
  ): Promise<RankResult> {
    const { texts: given } = parseArguments(queryArgument, { query, texts });
    checkOptions(rankOptions, options);
    const { model, vectors } = await this.service.embed([query, ...given], options);
    const [first = [], ...rest] = vectors;
    return { model, ranking: ranked(first, given, rest).slice(0, options.limit) };
  }

  /**
   * All models of the service, downloaded or not, in its order.
   *
   * @throws FoundryError `INVALID_RESPONSE` if the answer is not a list of models.
   */
  listModels(options: CallOptions = {}): Promise<ModelListResult> {
    return this.service.listModels(options);
  }

  /**
   * Loads a model by alias, name or id. Waits until it is in memory, at most `loadTimeoutMs`. The
   * service continues a load whose wait has ended.
   *
   * With `download`, a missing model is downloaded first. Only the time without progress is limited
   * (`downloadStallMs`).
   *
   * @throws FoundryError `MODEL_NOT_FOUND`, `MODEL_NOT_CACHED`, `LOAD_FAILED`, `EP_UNAVAILABLE`,
   *   `INSUFFICIENT_MEMORY`, `INSUFFICIENT_DISK`, `DOWNLOAD_FAILED`, `UNSUPPORTED_BY_SERVER` where the
   *   service loads models by itself.
   */
  loadModel(model: string, options: LoadOptions = {}): Promise<LoadResult> {
    return this.service.loadModel(model, options);
  }

  /**
   * Takes a model out of memory.
   *
   * @throws FoundryError `MODEL_BUSY` while something uses it, `MODEL_NOT_FOUND`.
   */
  unloadModel(model: string, options: UnloadOptions = {}): Promise<UnloadResult> {
    return this.service.unloadModel(model, options);
  }

  /**
   * The ids of the completions that run on the model that a name stands for.
   * @internal
   */
  async runningOn(model: string, options: CallOptions = {}): Promise<string[]> {
    const { id } = await this.service.whichModel(model, options);
    return this.completions
      .list()
      .filter((state) => state.status === "running" && state.model === id)
      .map((state) => state.id);
  }

  /**
   * The health of the service. Rejects only for wrong options: `problems` has what is wrong with the
   * service, each with its fix.
   */
  async healthCheck(options: CallOptions = {}): Promise<Health> {
    const health = await this.service.healthCheck(options);
    const { queue, rateLimit } = this.completions;
    return { ...health, queue, rateLimit, cache: await this.completions.cacheStats() };
  }

  /**
   * Counts of this client since it was created: calls, errors, retries, times, tokens and bytes by operation
   * and model. Sends nothing.
   *
   * @example
   * const { operations } = client.metrics();
   * const failed = operations.reduce((sum, each) => sum + each.failed, 0);
   */
  metrics(): ClientMetrics {
    const { queue } = this.completions;
    const recorded = this.service.metrics.snapshot();
    const { endpoint = null, state = null } = this.service.inUse ?? {};
    return { ...recorded, endpoint, circuit: { ...recorded.circuit, state }, queue };
  }

  /**
   * How long the service will read the prompt of a running completion, in milliseconds, by the speeds of
   * earlier ones; `null`: unknown.
   * @internal
   */
  readingEstimate(id: string): number | null {
    const { model = null, usage } = this.completions.recordOf(id)?.state ?? {};
    const speed = model === null ? null : (this.service.speeds?.ofId(model) ?? null);
    return readingMs(speed, usage?.inputTokens ?? null);
  }

  /** Ends all requests in flight with `CLIENT_CLOSED` and frees the connections. */
  async close(): Promise<void> {
    this.#closing ??= Promise.all([this.completions.close(), this.service.close()]);
    await this.#closing;
  }
}
