import {
  type AnswerDetails,
  type CallOptions,
  type Completion,
  type CompletionEvent,
  type CompletionRequest,
  type CompletionStatus,
  type CompletionUsage,
  type KnownModel,
  type StatusUpdate,
  sumOf,
  THOUGHT_ALTHOUGH_OFF,
} from "../foundry/index.js";
import {
  type CompletionStream,
  type ComposedParts,
  type FoundryClient,
  hasEnded,
  type OpenedCompletion,
  requestKey,
} from "../jobs/index.js";
import {
  FoundryError,
  isCancellation,
  type JoinedSignal,
  joinedSignal,
  type Trace,
  toFoundryError,
  untilAborted,
} from "../lib/index.js";

/** What makes the answer, of completions that are not kept. Its events are those of the last of them. */
export type Work = (composed: ComposedCompletion) => AsyncGenerator<CompletionEvent, void>;

/**
 * A completion that is made of others on the same client: it has one id, counts the tokens of all, and ends with
 * the answer of the last.
 */
export class ComposedCompletion implements OpenedCompletion {
  readonly client: FoundryClient;
  /** What the answer adds to the result of its tool. */
  details: AnswerDetails | undefined = undefined;
  readonly #parts: ComposedParts;
  readonly #trace: Trace | undefined;
  readonly #work: Work;
  readonly #startedAt = performance.now();
  readonly #warnings = new Set<string>();
  #model: string | null = null;
  #usage: CompletionUsage = NO_USAGE;
  #step: string | null = null;
  /** One of its requests was sent. */
  #hasBegun = false;
  #answer: CompletionStream | null = null;
  /** About the last answer, as long as there is one. */
  #answerWarnings: readonly string[] = [];
  /** Those that an item of a batch need not ask again after an outage. */
  readonly #asked = new Map<string, Completion>();
  /** Ends those that run beside one that has failed. */
  #beside: JoinedSignal | null = null;
  #end: { readonly status: CompletionStatus; readonly totalMs: number } | null = null;

  constructor(client: FoundryClient, parts: ComposedParts, work: Work, trace?: Trace) {
    this.client = client;
    this.#parts = parts;
    this.#work = work;
    this.#trace = trace;
  }

  snapshot(): Completion {
    const answer = this.#answer?.snapshot();
    const own = this.#step === null ? "queued" : "running";
    const ofAnswer = answer === undefined ? [] : [...this.#answerWarnings, ...answer.warnings];
    return {
      ...(answer ?? NO_ANSWER),
      id: this.#parts.id,
      status: this.#end?.status ?? answer?.status ?? own,
      model: answer?.model ?? this.#model,
      usage: sumOf(this.#usage, answer === undefined ? NO_USAGE : usageOf(answer)),
      timing: {
        ...(answer ?? NO_ANSWER).timing,
        totalMs: this.#end?.totalMs ?? Math.round(performance.now() - this.#startedAt),
      },
      warnings: [...new Set([...this.#warnings, ...ofAnswer])],
      details: this.details,
    };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<CompletionEvent, void> {
    try {
      yield* this.#inTurn();
      this.#ended("completed");
      yield { type: "completed", completion: this.snapshot() };
    } catch (thrown) {
      const error = toFoundryError(thrown);
      const answer = this.#answer?.snapshot();
      const own = isCancellation(error) ? "cancelled" : "failed";
      this.#ended(answer !== undefined && hasEnded(answer) ? answer.status : own);
      throw error;
    }
  }

  /** The work. In a batch it waits for its turn, and for another one where the service was not reached. */
  async *#inTurn(): AsyncGenerator<CompletionEvent, void> {
    const { gate, signal } = this.#parts;
    for (;;) {
      if (gate !== undefined) await untilAborted(gate.turn(), signal);
      try {
        yield* this.#work(this);
        return;
      } catch (thrown) {
        const error = toFoundryError(thrown);
        const wasSent = error.code === "TIMEOUT" && error.phase !== "connect";
        if (wasSent || gate?.mayWait(error) !== true) throw thrown;
        this.#answer = null;
      }
    }
  }

  /** For the calls of the work. */
  get call(): CallOptions {
    return {
      signal: this.#beside?.signal ?? this.#parts.signal,
      trace: this.#trace,
      onStatus: (update) => this.#report(update),
    };
  }

  /** Which model a completion with this request would use now. */
  async model(request: CompletionRequest): Promise<KnownModel> {
    const model = await this.client.service.modelFor(request, this.call);
    this.#model = model.id;
    return model;
  }

  /** Says which step begins, such as `Part 3 of 12`. */
  step(message: string): void {
    this.#step = message;
    this.#parts.onStatus({ step: "reading", message, percent: null });
  }

  /** One of the completions before the last. It is tried twice, so that the others are not lost. */
  async ask(request: CompletionRequest): Promise<Completion> {
    const key = this.#parts.gate === undefined ? null : requestKey(request);
    const known = key === null ? undefined : this.#asked.get(key);
    if (known !== undefined) return known;
    const completion = await this.#askOnce(request).catch((thrown: unknown) => {
      const error = toFoundryError(thrown);
      if (!error.retryable || this.call.signal?.aborted === true) throw error;
      return this.#askOnce(request);
    });
    if (key !== null) this.#asked.set(key, completion);
    return completion;
  }

  async #askOnce(request: CompletionRequest): Promise<Completion> {
    const step = this.#step;
    const stream = this.#stream(request);
    try {
      for await (const event of stream) {
        // The model is loaded: the step goes on.
        if (event.type === "status" && event.status === "running" && step !== null) this.step(step);
        if (event.type === "status") this.#parts.gate?.met();
        else this.#parts.gate?.reached();
      }
    } finally {
      const asked = stream.snapshot();
      this.#usage = sumOf(this.#usage, usageOf(asked));
      this.#hasBegun ||= wasSent(asked);
    }
    const completion = stream.snapshot();
    // Those before the last are asked without thinking, whatever the caller wants.
    const warnings = completion.warnings.filter((warning) => warning !== THOUGHT_ALTHOUGH_OFF);
    for (const warning of warnings) this.#warnings.add(warning);
    return completion;
  }

  /** The last one: its text is the answer. The warnings are about it. */
  async *answer(
    request: CompletionRequest,
    ...warnings: readonly string[]
  ): AsyncGenerator<CompletionEvent, void> {
    const stream = this.#stream(request);
    this.#answer = stream;
    this.#answerWarnings = warnings;
    try {
      for await (const event of stream) if (event.type !== "completed") yield event;
    } catch (thrown) {
      if (isOverflow(thrown) && stream.snapshot().status === "failed") this.#answer = null;
      throw thrown;
    } finally {
      this.#hasBegun ||= wasSent(stream.snapshot());
    }
  }

  /** Whether a request did not fit into the context, and nothing of the answer was generated: a shorter one may follow. */
  mayShorten(thrown: unknown): boolean {
    return isOverflow(thrown) && this.#answer === null;
  }

  /** The results for items in their order, as many at once as the model generates. */
  async each<T, R>(
    items: readonly T[],
    work: (item: T, index: number) => Promise<R>,
  ): Promise<R[]> {
    const results: R[] = [];
    const rest = items.entries();
    const worker = async (): Promise<void> => {
      for (const [index, item] of rest) results[index] = await work(item, index);
    };
    const [first] = items;
    if (first === undefined) return results;
    // How many it generates at once is known after the first.
    rest.next();
    results[0] = await work(first, 0);
    const failing = new AbortController();
    this.#beside = joinedSignal(this.#parts.signal, failing.signal);
    const workers = Array.from({ length: this.client.completions.slots }, worker);
    try {
      await Promise.all(workers);
    } catch (thrown) {
      failing.abort();
      await Promise.allSettled(workers);
      throw thrown;
    } finally {
      this.#beside.dispose();
      this.#beside = null;
    }
    return results;
  }

  #stream(request: CompletionRequest): CompletionStream {
    const { caller, gate } = this.#parts;
    // The requests have the settings of their route from the first on.
    const own = {
      ...this.call,
      caller,
      isBatch: gate !== undefined,
      goesOn: this.#hasBegun,
      isRouted: true,
    };
    return this.client.completions.stream(request, own);
  }

  #report(update: StatusUpdate): void {
    if (update.step === "found" && this.#step !== null) this.step(this.#step);
    else this.#parts.onStatus(update);
  }

  #ended(status: CompletionStatus): void {
    this.#end = { status, totalMs: Math.round(performance.now() - this.#startedAt) };
  }
}

const isOverflow = (thrown: unknown): boolean =>
  thrown instanceof FoundryError && thrown.code === "CONTEXT_LENGTH_EXCEEDED";

const wasSent = ({ attempts }: Completion): boolean => (attempts ?? 0) > 0;

/** Of a prompt that was not sent, the count would be an estimate. */
const usageOf = (completion: Completion): CompletionUsage =>
  wasSent(completion) || completion.cached ? completion.usage : NO_USAGE;

const NO_USAGE: CompletionUsage = { inputTokens: null, outputTokens: null, estimated: false };

const NO_ANSWER: Omit<Completion, "id" | "status" | "model" | "usage" | "warnings"> = {
  text: "",
  reasoning: null,
  finishReason: null,
  timing: { queuedMs: null, loadMs: null, firstTokenMs: null, totalMs: 0, tokensPerSecond: null },
  attempts: null,
  cached: false,
};
