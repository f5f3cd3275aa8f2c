import { FoundryError, toFoundryError } from "../errors.js";
import { HttpTransport } from "../http/index.js";
import { type Logger, silentLogger } from "../log.js";
import { type Call, type Dialect, detectDialect, type LoadedModel } from "./dialects/index.js";
import { ModelUses } from "./model-uses.js";
import {
  type DiskFacts,
  type KnownModel,
  mergeModels,
  NO_DISK_FACTS,
  readDiskFacts,
} from "./models/index.js";
import { type FoundryClientOptions, isLoopback, normalizeEndpoint } from "./options.js";
import { quickTimeout, worded } from "./timeouts.js";
import { untilAborted } from "./until-aborted.js";

/** How long a list of models is good enough to resolve a name with, in milliseconds. */
const LISTING_AGE_MS = 10_000;

/** How long a list waits for what is loaded, in milliseconds. */
const LOADED_LIST_MS = 5000;

const LOADED_UNKNOWN =
  "The service is busy, probably loading a model, so which models are loaded is not known now.";

export interface ModelListing {
  readonly models: readonly KnownModel[];
  readonly warning: string | null;
}

interface Connected {
  readonly dialect: Dialect;
  readonly modelCachePath: string | null;
}

/** Errors after which the service may be another one than it was: it is looked at afresh. */
const MAY_HAVE_CHANGED = new Set([
  "SERVICE_UNREACHABLE",
  "SERVER_CRASHED",
  "UNSUPPORTED_BY_SERVER",
]);

/**
 * The service behind one endpoint: which dialect it speaks, which models it has. Finds both out when
 * first asked, and again when there is reason to.
 */
export class Service {
  readonly endpoint: string;
  readonly isOnThisMachine: boolean;
  readonly transport: HttpTransport;
  /** What our own generations do with its models. */
  readonly uses = new ModelUses();
  /** Longest load, in milliseconds. */
  readonly loadTimeoutMs: number;
  readonly #timeoutMs: number;
  readonly #log: Logger;
  readonly #learnedContext = new Map<string, number>();
  #connected: Promise<Connected> | null = null;
  #listingAsked: Promise<ModelListing> | null = null;
  #listing: { readonly value: ModelListing; readonly at: number } | null = null;

  constructor(endpoint: string, options: FoundryClientOptions) {
    this.endpoint = normalizeEndpoint(endpoint);
    this.isOnThisMachine = isLoopback(this.endpoint);
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.loadTimeoutMs = options.loadTimeoutMs ?? 900_000;
    this.#log = options.log ?? silentLogger;
    const authorization =
      options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` };
    this.transport = new HttpTransport({
      baseUrl: this.endpoint,
      headers: { ...options.headers, ...authorization },
      log: this.#log,
      ...(options.retry === undefined ? {} : { retry: options.retry }),
      ...(options.circuit === undefined ? {} : { circuit: options.circuit }),
    });
  }

  /** Limits for a question that should be answered at once. */
  quick(signal?: AbortSignal): Call {
    return withSignal({ limits: { wholeMs: this.#timeoutMs } }, signal);
  }

  /**
   * Limits for a question that may have to wait for a load: C2 answers none about loaded models
   * before a running load has ended (docs/foundry-local.md, section 3).
   */
  patient(signal?: AbortSignal): Call {
    return withSignal({ limits: { wholeMs: this.loadTimeoutMs } }, signal);
  }

  /** The dialect of the service; found out once for all who ask at the same time. */
  async dialect(signal?: AbortSignal): Promise<Dialect> {
    return (await this.#connect(signal)).dialect;
  }

  /** The dialect if it is known already, without asking. */
  get knownDialect(): Promise<Dialect> | null {
    return this.#connected?.then(({ dialect }) => dialect) ?? null;
  }

  /** Looks at the service once, past retries and circuit breaker, as a health check wants. */
  async lookOnce(call: Call): Promise<Connected> {
    const connected = await this.#look({ ...call, retry: false });
    this.#connected = Promise.resolve(connected);
    return connected;
  }

  /**
   * All models as far as they can be told at once: while the service loads something, it does not
   * say what is loaded, and the list says so instead of waiting.
   */
  async listAvailable(call: Call): Promise<ModelListing> {
    const { dialect, modelCachePath } = await this.#connect(call.signal);
    // One after the other: a waiting question about loaded models holds up the list itself (section 3).
    const list = await this.#asked(call, () => busyIfLate(dialect, dialect.listModels(call)));
    const [loaded, disk] = await Promise.all([
      dialect
        .loadedModels({ ...call, limits: { wholeMs: Math.min(this.#timeoutMs, LOADED_LIST_MS) } })
        .catch((thrown: unknown) => unknownIfLate(dialect, thrown)),
      this.#diskFacts(modelCachePath),
    ]);
    const warning = loaded === "late" ? LOADED_UNKNOWN : list.warning;
    const listing = this.#merge(
      dialect,
      list.models,
      warning,
      loaded === "late" ? null : loaded,
      disk,
    );
    // Half a list is good to show, not to choose a model by.
    if (loaded === "late") this.forgetModels();
    return listing;
  }

  /** All models, freshly asked for, what is loaded included. */
  async listModels(call: Call): Promise<ModelListing> {
    const { dialect, modelCachePath } = await this.#connect(call.signal);
    const [list, loaded, disk] = await Promise.all([
      dialect.listModels(call),
      dialect.loadedModels(call),
      this.#diskFacts(modelCachePath),
    ]);
    return this.#merge(dialect, list.models, list.warning, loaded, disk);
  }

  /** All models, perhaps from a moment ago. */
  async recentModels(signal?: AbortSignal): Promise<ModelListing> {
    const isRecent = this.#listing !== null && Date.now() - this.#listing.at < LISTING_AGE_MS;
    if (isRecent && this.#listing !== null) return this.#listing.value;
    // One question for all who ask at the same time, each of whom only stops waiting.
    this.#listingAsked ??= this.listModels(this.patient()).finally(() => {
      this.#listingAsked = null;
    });
    return untilAborted(this.#listingAsked, signal);
  }

  /** Remembers a limit that the service named when it refused a request. */
  learnContext(id: string, limit: number): void {
    this.#learnedContext.set(id, limit);
    this.#listing = null;
  }

  /** Takes note of an error: what was known may be wrong now. */
  noteError(error: FoundryError): void {
    if (MAY_HAVE_CHANGED.has(error.code)) this.#connected = null;
    this.forgetModels();
  }

  /** Makes the next question about models a fresh one. */
  forgetModels(): void {
    this.#listing = null;
  }

  close(): Promise<void> {
    return this.transport.close();
  }

  async #connect(signal?: AbortSignal): Promise<Connected> {
    // One look for all who wait; so it takes none of their signals, each only stops waiting.
    this.#connected ??= this.#look(this.quick()).catch((error: unknown) => {
      this.#connected = null;
      throw error;
    });
    return untilAborted(this.#connected, signal);
  }

  async #look(call: Call): Promise<Connected> {
    const { dialect, modelCachePath } = await this.#asked(call, async () => {
      const found = await detectDialect(this.transport, call);
      const status = await found.status(call);
      return { dialect: found, modelCachePath: status.modelCachePath };
    });
    this.#log.info({ endpoint: this.endpoint, dialect: dialect.title }, "service found");
    return { dialect, modelCachePath };
  }

  /** Puts the time limit of a quick question into words. */
  async #asked<T>(call: Call, question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (thrown) {
      const limitMs = call.limits.wholeMs ?? this.#timeoutMs;
      throw worded(toFoundryError(thrown), () => quickTimeout(this.endpoint, limitMs));
    }
  }

  async #diskFacts(modelCachePath: string | null): Promise<DiskFacts> {
    if (modelCachePath === null || !this.isOnThisMachine) return NO_DISK_FACTS;
    return readDiskFacts(modelCachePath, this.#log);
  }

  #merge(
    dialect: Dialect,
    listed: Parameters<typeof mergeModels>[0]["listed"],
    warning: string | null,
    loaded: readonly LoadedModel[] | null,
    disk: DiskFacts,
  ): ModelListing {
    const models = mergeModels({
      listed,
      loaded,
      disk,
      listsOnlyDownloaded: dialect.can.listsOnlyDownloaded,
      contextLimit: dialect.can.contextLimit,
      learnedContext: this.#learnedContext,
    });
    const value = { models, warning };
    this.#listing = { value, at: Date.now() };
    return value;
  }
}

const withSignal = (call: Call, signal: AbortSignal | undefined): Call =>
  signal === undefined ? call : { ...call, signal };

const isLate = (dialect: Dialect, thrown: unknown): boolean =>
  dialect.can.listsWaitForLoads &&
  thrown instanceof FoundryError &&
  thrown.code === "TIMEOUT" &&
  thrown.phase !== "connect";

function unknownIfLate(dialect: Dialect, thrown: unknown): "late" {
  if (!isLate(dialect, thrown)) throw thrown;
  return "late";
}

async function busyIfLate<T>(dialect: Dialect, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    if (!isLate(dialect, thrown)) throw thrown;
    throw new FoundryError("SERVICE_BUSY", "The service is busy, probably loading a model.", {
      action: "Try again when it is loaded; health_check tells.",
      retryable: true,
      cause: thrown,
    });
  }
}
