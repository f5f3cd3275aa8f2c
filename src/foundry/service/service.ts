import { access } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { HttpTransport, isLoopback, normalizeEndpoint } from "../../http/index.js";
import { type FoundryError, SingleFlight, toFoundryError, untilAborted } from "../../lib/index.js";
import { type Logger, silentLogger } from "../../log.js";
import type { ProcessFigures } from "../../platform/index.js";
import { type Call, type Dialect, detectDialect, type ModelList } from "../dialects/index.js";
import {
  type DiskFacts,
  type KnownModel,
  type LoadedModel,
  mergeModels,
  NO_DISK_FACTS,
  readDiskFacts,
} from "../models/index.js";
import type { FoundryClientOptions } from "../options.js";
import { isBlockedByLoad, serviceBusyError } from "./busy.js";
import { ModelUses } from "./model-uses.js";
import { quickTimeout, timeoutOf, worded } from "./time-limits.js";

/** How long a list of models is good enough to resolve a name with, in milliseconds. */
const LISTING_AGE_MS = 10_000;

/** How long a list waits for what is loaded, in milliseconds. */
const LOADED_LIST_MS = 5000;
/** The same when an earlier question about it still waits. */
const STILL_WAITING_MS = 500;

const LOADED_UNKNOWN =
  "The service is busy, probably loading a model, so which models are loaded is not known now.";

export interface ModelListing {
  readonly models: readonly KnownModel[];
  readonly warning: string | null;
  /** How many entries of the service's lists are no models, and not among `models`. */
  readonly leftOut: number;
  /** `false` where the service does not tell what is loaded, or is too busy to. */
  readonly isLoadedKnown: boolean;
}

/** A service that answered the cheap question. */
export interface Live {
  readonly dialect: Dialect;
  readonly pid: number | null;
  readonly latencyMs: number;
}

export interface HealthDetails {
  readonly isHere: boolean;
  readonly listing: ModelListing | FoundryError | null;
  readonly figures: ProcessFigures | null;
}

interface Connected {
  readonly dialect: Dialect;
  /** Those of the transport when it began to be looked at. */
  readonly dropsBefore: number;
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
  /** Of health checks: whether it answers. */
  readonly looks = new SingleFlight<Live | FoundryError>();
  /** Of health checks: what it has in memory, and what the system says of its process. */
  readonly details = new SingleFlight<HealthDetails>();
  /** Longest load, in milliseconds. */
  readonly loadTimeoutMs: number;
  readonly #timeoutMs: number;
  readonly #log: Logger;
  readonly #learnedContext = new Map<string, number>();
  #connected: Promise<Connected> | null = null;
  #lastDialect: Dialect | null = null;
  /** Those of the transport when it was last looked at. */
  #dropsAtLook = 0;
  #changes = 0;
  /** A question about loaded models that is not answered yet. */
  #loadedAsked: Promise<readonly LoadedModel[] | null> | null = null;
  #lastList: ModelList | null = null;
  readonly #available = new SingleFlight<ModelListing>();
  readonly #fresh = new SingleFlight<ModelListing>();
  #listing: { readonly value: ModelListing; readonly at: number } | null = null;

  /** @param isFollowed Whether somebody above finds it again when nothing listens here any more. */
  constructor(
    endpoint: string,
    options: FoundryClientOptions,
    readonly isFollowed = false,
  ) {
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
      retriesRefusals: !isFollowed,
      ...(options.retry === undefined ? {} : { retry: options.retry }),
      ...(options.circuit === undefined ? {} : { circuit: options.circuit }),
    });
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
    if (this.mayHaveChanged) return null;
    return this.#connected?.then(({ dialect }) => dialect) ?? null;
  }

  /** Whether connections ended since it was looked at, as they do when it is another one now. */
  get mayHaveChanged(): boolean {
    return this.transport.drops !== this.#dropsAtLook;
  }

  /** How often another server, or another version, was seen here than before. */
  get changes(): number {
    return this.#changes;
  }

  /** Looks at the service once, past retries and circuit breaker, as a health check wants. */
  async lookOnce({ limits, signal }: Call): Promise<Connected> {
    const totalMs = limits.wholeMs ?? this.#timeoutMs;
    // It is up to seven questions, each of which may be left without an answer.
    const connected = await this.#within(totalMs, signal, (end) =>
      this.#look({ limits, signal: end, retry: false }),
    );
    this.#connected = Promise.resolve(connected);
    // Another look may have begun later, and seen more.
    this.#dropsAtLook = connected.dropsBefore;
    return connected;
  }

  /**
   * All models as far as they can be told within the time for quick questions; one question for all
   * callers at the same time.
   */
  listAvailable(signal?: AbortSignal): Promise<ModelListing> {
    return this.#available.ask(() => this.#listInTime(), signal);
  }

  async #listInTime(): Promise<ModelListing> {
    const { dialect } = await this.#connect();
    try {
      return await this.#withinTimeout(undefined, (call) =>
        this.listAtOnce(call, Math.min(LOADED_LIST_MS, this.#timeoutMs / 2)),
      );
    } catch (thrown) {
      throw isBlockedByLoad(dialect, thrown) ? serviceBusyError(thrown) : thrown;
    }
  }

  /**
   * All models as far as they can be told at once: while the service loads something, it does not
   * say what is loaded (docs/foundry-local.md, section 3), and the list says so instead of waiting
   * longer than `patienceMs`.
   */
  async listAtOnce(call: Call, patienceMs: number): Promise<ModelListing> {
    const { dialect, modelCachePath } = await this.#connect(call.signal);
    // A question about loaded models that still waits holds up the list, too: then the last one serves.
    const isWaiting = this.#loadedAsked !== null;
    const list =
      isWaiting && this.#lastList !== null ? this.#lastList : await dialect.listModels(call);
    this.#lastList = list;
    const [loaded, disk] = await Promise.all([
      dialect.can.listsWaitForLoads
        ? this.#loadedWithin(dialect, isWaiting ? STILL_WAITING_MS : patienceMs, call)
        : dialect.loadedModels(call),
      this.#diskFacts(modelCachePath),
    ]);
    if (loaded !== "late") return this.#remember(this.#merge(dialect, list, loaded, disk));
    // Half a list is good to show, not to choose a model by, so it is not remembered.
    const listing = this.#merge(dialect, list, null, disk);
    return { ...listing, warning: LOADED_UNKNOWN, isLoadedKnown: false };
  }

  /** All models, freshly asked for, what is loaded included. */
  async listModels(call: Call): Promise<ModelListing> {
    const { dialect, modelCachePath } = await this.#connect(call.signal);
    const list = await dialect.listModels(call);
    const [loaded, disk] = await Promise.all([
      dialect.loadedModels(call),
      this.#diskFacts(modelCachePath),
    ]);
    return this.#remember(this.#merge(dialect, list, loaded, disk));
  }

  /** All models, perhaps from a moment ago. */
  async recentModels(signal?: AbortSignal): Promise<ModelListing> {
    if (this.hasRecentModels && this.#listing !== null) return this.#listing.value;
    return this.#fresh.ask(() => this.listModels(this.patient()), signal);
  }

  /** Whether a name can be resolved without asking. */
  get hasRecentModels(): boolean {
    return this.#listing !== null && Date.now() - this.#listing.at < LISTING_AGE_MS;
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
    this.#available.forget();
    this.#fresh.forget();
    this.looks.forget();
    this.details.forget();
  }

  close(): Promise<void> {
    return this.transport.close();
  }

  async #connect(signal?: AbortSignal): Promise<Connected> {
    if (this.mayHaveChanged) this.#connected = null;
    if (this.#connected === null) this.#dropsAtLook = this.transport.drops;
    // One look for all who wait; so it takes none of their signals, each only stops waiting.
    this.#connected ??= this.#withinTimeout(undefined, (call) => this.#look(call)).catch(
      (error: unknown) => {
        this.#connected = null;
        throw error;
      },
    );
    return untilAborted(this.#connected, signal);
  }

  async #look(call: Call): Promise<Connected> {
    const dropsBefore = this.transport.drops;
    const dialect = await detectDialect(this.transport, call);
    const { modelCachePath } = await dialect.status(call);
    const last = this.#lastDialect;
    if (last !== null && (dialect.name !== last.name || dialect.version !== last.version)) {
      this.#changes += 1;
      this.forgetModels();
    }
    this.#lastDialect = dialect;
    this.#lastList = null;
    this.#log.info({ endpoint: this.endpoint, dialect: dialect.title }, "service found");
    return { dialect, modelCachePath, dropsBefore };
  }

  /**
   * Asks what should be answered at once: within the time for that in all, so that an attempt that
   * gets no answer leaves time for others.
   */
  async #withinTimeout<T>(
    signal: AbortSignal | undefined,
    question: (call: Call) => Promise<T>,
  ): Promise<T> {
    const limits = { firstByteMs: Math.ceil(this.#timeoutMs / 3), wholeMs: this.#timeoutMs };
    return this.#within(this.#timeoutMs, signal, (end) => question({ limits, signal: end }));
  }

  /** Within so long in all, however many requests it takes. */
  async #within<T>(
    totalMs: number,
    signal: AbortSignal | undefined,
    question: (end: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const total = AbortSignal.timeout(totalMs);
    try {
      return await question(signal === undefined ? total : AbortSignal.any([signal, total]));
    } catch (thrown) {
      const error = toFoundryError(thrown);
      const ranOut = error.code === "CANCELLED" && total.aborted && signal?.aborted !== true;
      const wording = () => quickTimeout(this.endpoint, totalMs);
      throw ranOut ? timeoutOf(wording()) : worded(error, wording);
    }
  }

  /** What is loaded, or `"late"`. The question goes on: giving it up would not free the service. */
  async #loadedWithin(
    dialect: Dialect,
    patienceMs: number,
    { signal, retry = true }: Call,
  ): Promise<readonly LoadedModel[] | null | "late"> {
    this.#loadedAsked ??= dialect.loadedModels({ ...this.patient(), retry }).finally(() => {
      this.#loadedAsked = null;
    });
    // Those who wait see a failure; when nobody does any more, it is nobody's.
    this.#loadedAsked.catch(() => {});
    const patience = new AbortController();
    const late = setTimeout(patienceMs, "late" as const, { signal: patience.signal, ref: false });
    try {
      return await Promise.race([untilAborted(this.#loadedAsked, signal), late]);
    } finally {
      late.catch(() => {});
      patience.abort();
    }
  }

  /** Where it says that its models lie, if its address is one of this machine. */
  async modelCachePath(signal?: AbortSignal): Promise<string | null> {
    const { modelCachePath } = await this.#connect(signal);
    return this.isOnThisMachine ? modelCachePath : null;
  }

  /**
   * Whether the service runs here, on this disk. A loopback address alone does not say so: it may be
   * the end of a tunnel to a container or to another machine, whose process ids mean nothing here.
   */
  async isOnThisDisk(signal?: AbortSignal): Promise<boolean> {
    const modelCachePath = await this.modelCachePath(signal);
    if (modelCachePath === null) return false;
    return access(modelCachePath).then(
      () => true,
      () => false,
    );
  }

  async #diskFacts(modelCachePath: string | null): Promise<DiskFacts> {
    if (modelCachePath === null || !this.isOnThisMachine) return NO_DISK_FACTS;
    return readDiskFacts(modelCachePath, this.#log);
  }

  #merge(
    dialect: Dialect,
    { models: listed, warning, leftOut }: ModelList,
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
    return { models, warning, leftOut, isLoadedKnown: loaded !== null };
  }

  #remember(value: ModelListing): ModelListing {
    this.#listing = { value, at: Date.now() };
    return value;
  }
}

const withSignal = (call: Call, signal: AbortSignal | undefined): Call =>
  signal === undefined ? call : { ...call, signal };
