import {
  type ErrorCode,
  endedError,
  type FoundryError,
  isCancellation,
  type JoinedSignal,
  joinedSignal,
  jsonFrom,
  type MeteredTrace,
  type SecretMask,
  toFoundryError,
} from "../../lib/index.js";
import { Attempts, afterDeath, type Connection, type CurrentService } from "../current-service.js";
import type { Dialect } from "../dialects/index.js";
import { assertCanChat } from "../loading/index.js";
import type { KnownModel } from "../models/index.js";
import { stallTimeout, worded } from "../service/index.js";
import { type Toolbox, toolboxFor } from "../tools/index.js";
import { type ChatContext, chat, untilLoaded } from "./chat.js";
import type { Completion, CompletionEvent, CompletionStatus, StoredAnswer } from "./completion.js";
import type { EndedCompletion } from "./ended-completion.js";
import { assertCanSee, ModelOrder } from "./model-choice.js";
import type { CompletionProgress } from "./progress.js";
import { assertCounted, assertFits } from "./prompt-size.js";
import { type Structure, structureOf } from "./structured.js";

interface ServiceCompletionParts
  extends Pick<
    ChatContext,
    "request" | "messages" | "progress" | "onStatus" | "maxTokens" | "now"
  > {
  readonly current: CurrentService;
  readonly trace?: MeteredTrace | undefined;
  /** Longest silence of the model after a prompt of so many tokens, in milliseconds. */
  readonly stallLimitMs: (model: string, inputTokens: number | null) => number;
  /** Aborted when the client is closed. */
  readonly closing: AbortSignal;
  /** What no error may quote. */
  readonly secrets: SecretMask;
  /** The caller's own signal. */
  readonly signal?: AbortSignal | undefined;
  /** Called once at the end, if the completion began. */
  readonly onEnd?: ((ended: EndedCompletion) => void) | undefined;
}

/** A completion whose service and model are known. */
interface PreparedCompletion {
  /** Exact id of the model. */
  readonly model: string;
  /** The kind and version of the service. */
  readonly service: string;
  /** How many generations of a model the service runs at once. */
  readonly generationsAtOnce: number;
  /** Loads the model if needed, sends the request and receives the answer. */
  run(): AsyncGenerator<CompletionEvent, void>;
}

/**
 * One completion on the service in use, in steps: `prepare`, then the caller's queue, then `run`, then
 * `complete`. After a failed step, `canRetry` decides whether the caller begins again with `prepare`;
 * otherwise `fail` gives the error. `dispose` is the last call.
 */
export class ServiceCompletion {
  readonly #parts: ServiceCompletionParts;
  readonly #progress: CompletionProgress;
  readonly #order: ModelOrder;
  readonly #leaving = new AbortController();
  readonly #attempts = new Attempts();
  /** Whether the service may have received the prompt, so that sending it again would run it twice. */
  mayHaveBeenSent = false;
  /** The service was asked once at most for the tokens of the prompt. */
  #isCounted = false;
  #stallTimeoutMs = 0;
  #connection: Connection | null = null;
  #joined: JoinedSignal | null = null;
  #structure: Structure | null = null;
  #failure: FoundryError | null = null;
  #stored: StoredAnswer | null = null;
  #toolbox: Toolbox | null = null;
  #model: KnownModel | null = null;

  constructor(parts: ServiceCompletionParts) {
    this.#parts = parts;
    this.#progress = parts.progress;
    const { request, messages, maxTokens } = parts;
    this.#order = new ModelOrder(request, messages, maxTokens);
  }

  /** The completion so far. */
  snapshot(): Completion {
    const own = this.#progress.snapshot();
    return this.#stored === null ? own : withStored(own, this.#stored);
  }

  /** About the call and not its answer. */
  get callWarnings(): readonly string[] {
    return this.#progress.callWarnings;
  }

  /** Ends the completion: aborted by the caller, by its reader's leaving, and with the client. */
  get signal(): AbortSignal {
    const { closing, signal } = this.#parts;
    this.#joined ??= joinedSignal(closing, this.#leaving.signal, signal);
    return this.#joined.signal;
  }

  /** Whether its reader has left, so that a cancellation has no receiver. */
  get wasLeft(): boolean {
    return this.#leaving.signal.aborted;
  }

  leave(): void {
    this.#leaving.abort();
    if (this.#joined === null) this.#progress.end("cancelled");
  }

  /** Finds the service and the model. Nothing is loaded or sent yet. */
  async prepare(): Promise<PreparedCompletion> {
    const { current, onStatus, messages, trace } = this.#parts;
    const { schema, tools = [], toolChoice } = this.#parts.request;
    const { signal } = this;
    if (schema !== undefined) this.#structure ??= await structureOf(schema);
    this.#toolbox ??= await toolboxFor(tools, toolChoice);
    this.#connection = null;
    const connection = await current.connection({ signal, onStatus });
    this.#connection = connection;
    this.#attempts.changes = connection.service.changes;
    if (connection.guessWarning !== null) this.#progress.warn(connection.guessWarning);
    const { service } = connection;
    const dialect = await untilLoaded({ ...this.#parts, service, signal }, () =>
      service.dialect(signal),
    );
    const order = this.#order;
    this.#progress.warn(...order.notes);
    const auto = order.wish;
    const call = { signal, onStatus, trace, auto };
    const { changes } = service;
    const resolved = await connection.loader.resolveModel(order.name, call);
    // The request for its models may have shown that another server has taken the place of the service.
    await service.dialect(signal);
    if (service.changes !== changes) return this.prepare();
    const { model, reason } = resolved;
    order.chose(resolved);
    if (reason !== null) this.#progress.warn(reason);
    this.#model = model;
    assertCanChat(model);
    assertCanSee(model, dialect, messages);
    assertFits(service, model, messages, schema);
    if (!this.#isCounted) {
      this.#isCounted = true;
      const besides = [...tools, ...(schema === undefined ? [] : [schema])];
      const counted = { service, dialect, model, messages, besides };
      await assertCounted(counted, { signal, trace });
    }
    this.#progress.queued(model.id);
    return {
      model: model.id,
      // The same name of a model says nothing of another engine at another address.
      service: `${dialect.name} ${dialect.can.isFoundryLocal ? (dialect.version ?? "") : service.endpoint}`,
      generationsAtOnce: dialect.can.generationsAtOnce,
      run: () => this.#run(connection, dialect),
    };
  }

  /** Waits for something before a step, such as the queue. The time counts as time in the queue. */
  async queued<T>(wait: Promise<T>): Promise<T> {
    const { now } = this.#parts;
    const since = now();
    try {
      return await wait;
    } finally {
      this.#progress.waitedInQueue(now() - since);
    }
  }

  /** The answer is a stored one: nothing is queued, loaded or sent. */
  *restore(stored: StoredAnswer): Generator<CompletionEvent, void> {
    this.#stored = stored;
    const { reasoning, text } = stored;
    if (reasoning !== null) yield { type: "reasoning", text: reasoning };
    yield { type: "text", text };
  }

  /** The answer is whole. */
  complete(): CompletionEvent {
    this.#progress.end("completed");
    return { type: "completed", completion: this.snapshot() };
  }

  /** The error of a failed step, in its final words. */
  async explain(thrown: unknown): Promise<FoundryError> {
    const progress = this.#progress;
    const failure = toFoundryError(thrown);
    const connection = this.#connection;
    if (progress.wasAsked && !failure.neverSent) this.mayHaveBeenSent = true;
    if (connection === null) return failure;
    return this.#afterDeath(failure) ?? (await this.#explained(failure, connection));
  }

  /** Whether the caller begins again after a failed step. Pauses before a retry. */
  async canRetry(error: FoundryError): Promise<boolean> {
    const connection = this.#connection;
    if (connection === null) return false;
    const { current } = this.#parts;
    // The rule about the first token (docs/resilience.md).
    if (this.#progress.hasStarted) {
      current.note(connection, error);
      return false;
    }
    const ofLoad = this.#progress.status === "loading";
    const { signal } = this;
    const canRetry = await current.shouldRetry(connection, error, this.#attempts, signal);
    if (!canRetry) return this.#order.next(error, ofLoad);
    const { traffic } = this.#parts.trace ?? {};
    if (traffic !== undefined) traffic.retries += 1;
    return true;
  }

  /** The caller begins again with `prepare`: as a retry, or as at first. */
  restart(as: "retry" | "first"): void {
    this.#connection = null;
    this.#progress.restarted();
    if (as === "retry") return;
    this.#attempts.retries = 0;
    this.#attempts.deaths = 0;
  }

  /** Ends the completion with an error, and returns the error for the reader. */
  fail(error: FoundryError): FoundryError {
    this.#progress.end(this.#statusAfter(error));
    const { closing, signal, secrets } = this.#parts;
    const explained = this.#order.explained(error).withoutSecrets(secrets);
    this.#failure = endedError(explained, signal, closing);
    return this.#failure;
  }

  dispose(): void {
    // The reader left in the middle.
    if (!this.#progress.hasEnded) this.#progress.end("cancelled");
    this.#joined?.dispose();
    this.#parts.onEnd?.({
      completion: this.snapshot(),
      failure: this.#failure,
      model: this.#model,
      isOnThisMachine: this.#connection?.service.isOnThisMachine ?? false,
      hiddenTokens: this.#progress.hiddenTokens,
    });
  }

  async *#run(connection: Connection, dialect: Dialect): AsyncGenerator<CompletionEvent, void> {
    const { onStatus, trace } = this.#parts;
    const { service, loader } = connection;
    const { signal } = this;
    // During the wait in the queue the model may have been loaded or unloaded.
    const resolved = await this.#order.again(loader, { signal, onStatus, trace });
    const held = { structure: this.#structure, toolbox: this.#toolbox };
    const { inputTokens } = this.#progress.snapshot().usage;
    const stallTimeoutMs = this.#parts.stallLimitMs(resolved.model.id, inputTokens);
    this.#stallTimeoutMs = stallTimeoutMs;
    const own = { service, loader, dialect, signal, stallTimeoutMs };
    yield* chat(resolved, { ...this.#parts, ...own, ...held });
    connection.guessWarning = null;
  }

  /** A restart of the service is worth one more try. A prompt that killed it twice is not sent again (#818). */
  #afterDeath(failure: FoundryError): FoundryError | null {
    const { status, model } = this.#progress;
    if (status === "running")
      return afterDeath(failure, this.#attempts, `this request to ${model}`);
    if (status === "loading") return afterDeath(failure, this.#attempts, `the load of ${model}`);
    return null;
  }

  /** A stream that broke off is a crash when the service is gone, too. */
  async #explained(error: FoundryError, { service, foundBy }: Connection): Promise<FoundryError> {
    const { status, model, hasStarted } = this.#progress;
    if (error.code === "TIMEOUT" && status === "running") {
      const limitMs = this.#stallTimeoutMs;
      return worded(error, () => stallTimeout(model ?? "The model", limitMs, hasStarted));
    }
    const brokeOff = hasStarted || error.code === "STREAM_INTERRUPTED";
    if (!brokeOff || !BREAKS.has(error.code)) return error;
    try {
      await service.detectOnce({ limits: { wholeMs: 2000 }, signal: this.signal });
    } catch (thrown) {
      if (toFoundryError(thrown).code !== "SERVICE_UNREACHABLE") return error;
      const again =
        foundBy === "set"
          ? "Start the service again"
          : "Try again: it is found or, where that is allowed, started again by itself";
      const action = `${again}; a shorter prompt, another variant or another model may help if it dies again.`;
      return error.reworded({
        code: "SERVER_CRASHED",
        message: "The service died while it generated.",
        action: hasStarted ? `The text so far is kept. ${action}` : action,
        retryable: true,
      });
    }
    // The service itself reported the break.
    if (error.code === "STREAM_INTERRUPTED" && error.status !== null) return error;
    // On core 1.x this is also how a model that fails looks (docs/foundry-local.md, section 10).
    return error.reworded({
      code: "STREAM_INTERRUPTED",
      message:
        "The answer broke off, though a service answers there: the connection was cut, the service was restarted, or the model failed.",
      action:
        "Try again; if it breaks off at the same place, use another model or a shorter prompt.",
      retryable: true,
    });
  }

  #statusAfter(error: FoundryError): CompletionStatus {
    if (isCancellation(error)) return "cancelled";
    if (this.#connection === null || error.code === "SCHEMA_MISMATCH") return "failed";
    // A time limit after sending is not retried from here, so the device may still be at it: interrupted, not failed.
    if (error.code === "TIMEOUT" && error.phase !== "connect") return "interrupted";
    return this.#progress.hasStarted ? "interrupted" : "failed";
  }
}

const BREAKS: ReadonlySet<ErrorCode> = new Set([
  "STREAM_INTERRUPTED",
  "SERVICE_UNREACHABLE",
  "SERVER_CRASHED",
]);

/** A completion with an answer of the cache in place of one of the service. */
function withStored(own: Completion, stored: StoredAnswer): Completion {
  const { ageMs, warnings, ...answer } = stored;
  return {
    ...own,
    ...answer,
    ...(answer.method === undefined ? {} : { data: jsonFrom(answer.text) }),
    timing: { ...own.timing, queuedMs: 0, loadMs: 0 },
    attempts: 0,
    cached: true,
    cacheAgeMs: ageMs,
    warnings: [...new Set([...own.warnings, ...warnings])],
  };
}
