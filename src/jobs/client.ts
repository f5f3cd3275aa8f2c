import { z } from "zod";
import {
  type CallOptions,
  type CompletionRequest,
  type CompletionStream,
  type Health,
  optionFields,
  optionsOf,
  FoundryClient as ServiceClient,
  type FoundryClientOptions as ServiceOptions,
  type StreamOptions,
  signalOption,
  wholeNumber,
} from "../foundry/index.js";
import { parseArguments, WHOLE_NUMBERS } from "../lib/index.js";
import type { Machine } from "../platform/index.js";
import {
  BATCH_LIMIT,
  Batches,
  type BatchResult,
  batchResults,
  type CompleteBatchOptions,
} from "./batches/index.js";
import { Completions } from "./completions.js";
import { Loads } from "./loads.js";

/** How to reach a service, how patient to be with it, and how much to ask of it at once. */
export interface FoundryClientOptions extends ServiceOptions {
  /**
   * Generations at once per model. Default `"auto"`: 1 on the old service and on core 1.x, 4 on
   * core 2.x and on other engines.
   */
  readonly concurrency?: number | "auto" | undefined;
  /** Completions that may wait for their turn; one more is refused with `QUEUE_FULL`. Default 64. */
  readonly queueLimit?: number | undefined;
}

/**
 * A client of Foundry Local, with a queue in front of each model and completions that outlive the
 * call that started them.
 *
 * @example
 * const client = new FoundryClient();
 * const { text } = await client.complete({ prompt: "Why is the sky blue?" });
 * await client.close();
 */
export class FoundryClient extends ServiceClient {
  /** Completions with a life of their own: `start`, `get`, `wait`, `cancel`, `list`. */
  readonly completions: Completions;
  /** @internal For the tool, whose batches go on from call to call. */
  readonly batches: Batches;
  #closing: Promise<unknown> | null = null;
  /** Loads and downloads with a life of their own: `start`, `wait`, `stop`. */
  readonly loads: Loads;

  /** @param machine Where Foundry Local is looked for; another than this one only in tests. */
  constructor(options: FoundryClientOptions = {}, machine?: Machine) {
    super(checkedOptions(options), machine);
    this.completions = new Completions(
      {
        streamComplete: (request, given) => super.streamComplete(request, given),
        stopsWhenLeft: () => this.stopsWhenLeft(),
      },
      {
        concurrency: options.concurrency,
        queueLimit: options.queueLimit,
        log: options.log,
      },
    );
    this.batches = new Batches(this.completions);
    this.loads = new Loads(
      {
        whichModel: (model, given) => this.whichModel(model, given),
        loadModel: (model, given) => this.loadModel(model, given),
      },
      { log: options.log },
    );
  }

  /**
   * Completes many requests, and gives each result as it comes. One that fails, or that is no request
   * at all, fails alone: then `state.error` says why. Leaving the loop stops the rest. It begins when it
   * is first iterated.
   *
   * @param requests 1 to 500.
   * @throws FoundryError `INVALID_ARGUMENT` for none or too many of them, or an unfit `concurrency`; at
   *   the first step `QUEUE_FULL` when too many batches are under way.
   * @example
   * for await (const { index, state } of client.completeBatch(requests)) {
   *   console.log(index, state.error?.message ?? state.text);
   * }
   */
  completeBatch(
    requests: readonly CompletionRequest[],
    options: CompleteBatchOptions = {},
  ): AsyncIterableIterator<BatchResult, void> {
    parseArguments(batchOptions, options, { noun: "option" });
    parseArguments(batchArguments, { requests });
    return batchResults(this.batches, requests, options);
  }

  override streamComplete(
    request: CompletionRequest,
    options: StreamOptions = {},
  ): CompletionStream {
    return super.streamComplete(request, { admit: this.completions.admission(), ...options });
  }

  override async healthCheck(options: CallOptions = {}): Promise<Health> {
    const health = await super.healthCheck(options);
    return { ...health, queue: this.completions.queue };
  }

  override async close(): Promise<void> {
    this.batches.close();
    this.#closing ??= Promise.all([this.completions.close(), super.close()]);
    await this.#closing;
  }
}

const clientOptions = optionsOf({
  ...optionFields,
  concurrency: z
    .union(
      [z.literal("auto"), wholeNumber(WHOLE_NUMBERS.concurrency, ", or auto")],
      "a whole number from 1 to 64, or auto",
    )
    .optional(),
  queueLimit: wholeNumber(WHOLE_NUMBERS.queueLimit).optional(),
});

/** What clients of the OpenAI API call these options. */
const OTHER_NAMES = {
  baseURL: "endpoint",
  url: "endpoint",
  host: "endpoint",
  timeout: "timeoutMs",
  maxRetries: "retry",
  retries: "retry",
  defaultHeaders: "headers",
  logger: "log",
};

function checkedOptions(given: FoundryClientOptions): FoundryClientOptions {
  parseArguments(clientOptions, given, {
    noun: "option",
    // Of an endpoint that is no URL, a part may be a password.
    secrets: new Set(["apiKey", "headers", "endpoint"]),
    otherNames: OTHER_NAMES,
  });
  return given;
}

const CONCURRENCY = "a whole number, 1 or more";
const batchOptions = optionsOf({
  ...signalOption,
  concurrency: z.int(CONCURRENCY).min(1, CONCURRENCY).optional(),
});

/** What has to fit before anything begins; each request is checked alone. */
const batchArguments = z.object({
  requests: z
    .array(z.unknown(), "a list of requests")
    .min(1, `1 to ${BATCH_LIMIT} requests`)
    .max(BATCH_LIMIT, `1 to ${BATCH_LIMIT} requests`),
});
