import { HttpTransport, isRefused, normalizeEndpoint } from "../../http/index.js";
import {
  type ErrorCode,
  FoundryError,
  isLoopback,
  type MetricsRecorder,
  SharedTasks,
  type Trace,
  untilAborted,
} from "../../lib/index.js";
import { type Logger, silentLogger } from "../../log.js";
import { exists, LATE, type ProcessFigures } from "../../platform/index.js";
import { type Call, type Dialect, detectDialect, openaiDialect } from "../dialects/index.js";
import type { FoundryClientOptions } from "../options.js";
import { type ListedService, type ModelListing, ModelLists } from "./model-lists.js";
import { ModelUses } from "./model-uses.js";
import { withinQuickLimits } from "./time-limits.js";

/** A service that answered the liveness request. */
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

interface Connected extends ListedService {
  /** The transport's count of dropped connections when the detection began. */
  readonly dropsBefore: number;
}

/** Errors after which another service may listen at the endpoint: it is detected again. */
const MAY_HAVE_CHANGED: ReadonlySet<ErrorCode> = new Set([
  "NOT_FOUNDRY",
  "SERVICE_UNREACHABLE",
  "SERVER_CRASHED",
  "UNSUPPORTED_BY_SERVER",
]);

/** Errors that another server than the expected one would cause, with an HTTP status. */
const OF_ANOTHER_SERVER: ReadonlySet<ErrorCode> = new Set([
  "UNSUPPORTED_BY_SERVER",
  "MODEL_NOT_FOUND",
  "MODEL_NOT_CACHED",
  "MODEL_NOT_LOADED",
  "LOAD_FAILED",
  "INVALID_RESPONSE",
]);

/** Time limit of a detection that checks whether the server is still the same. */
const DETECTION_MS = 5000;

/** How long dropped connections are no reason to detect an engine again, in milliseconds. */
const ENGINE_KNOWN_MS = 60_000;

/**
 * The service behind one endpoint: its dialect and its models. Both are requested when they are first
 * needed, and again when they may have changed.
 */
export class Service {
  readonly endpoint: string;
  readonly isOnThisMachine: boolean;
  readonly transport: HttpTransport;
  readonly models: ModelLists;
  /** Our own generations on its models. */
  readonly uses = new ModelUses();
  /** Of health checks: whether the service answers. */
  readonly livenessChecks = new SharedTasks<Live | FoundryError>({ runsOn: true });
  /** Of health checks: its models, and the figures of its process. */
  readonly detailChecks = new SharedTasks<HealthDetails>({ runsOn: true });
  /** Longest load, in milliseconds. */
  readonly loadTimeoutMs: number;
  /** How often a detection found another server, or another version, than the one before it. */
  changes = 0;
  readonly #timeoutMs: number;
  readonly #log: Logger;
  #connected: Promise<Connected> | null = null;
  /** The last certain answer of the disk, whether the folder of the models is there. */
  #seenOnDisk: { readonly path: string; readonly isThere: boolean } | null = null;
  #lastDialect: Dialect | null = null;
  /** The transport's count of dropped connections when the service was last detected. */
  #dropsAtDetection = 0;
  #detectedAt = 0;

  /** @param isFollowed Whether the caller finds the service again when it has moved. */
  constructor(
    endpoint: string,
    options: FoundryClientOptions,
    readonly isFollowed = false,
    metrics?: MetricsRecorder,
  ) {
    this.endpoint = normalizeEndpoint(endpoint);
    this.isOnThisMachine = isLoopback(this.endpoint);
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.loadTimeoutMs = options.loadTimeoutMs ?? 900_000;
    this.#log = options.log ?? silentLogger;
    // Users copy the key together with its scheme.
    const key = options.apiKey?.replace(/^bearer\s+/i, "");
    const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` };
    this.transport = new HttpTransport({
      baseUrl: this.endpoint,
      headers: { ...options.headers, ...authorization },
      metrics,
      log: this.#log,
      retriesRefusals: !isFollowed,
      retry: options.retry,
      circuit: options.circuit,
    });
    this.models = new ModelLists({
      connect: (signal) => this.#connect(signal),
      quickly: (work) => this.#quickly(work),
      patient: () => this.patient(),
      timeoutMs: this.#timeoutMs,
      log: this.#log,
    });
  }

  /**
   * Limits for a request that may have to wait for a load: C2 answers no request for loaded models
   * before a running load has ended (docs/foundry-local.md, section 3).
   */
  patient(signal?: AbortSignal, trace?: Trace): Call {
    return { limits: { wholeMs: this.loadTimeoutMs }, trace, signal };
  }

  /** The dialect of the service; concurrent callers share one detection. */
  async dialect(signal?: AbortSignal): Promise<Dialect> {
    return (await this.#connect(signal)).dialect;
  }

  /** The dialect if it is known already, without a request. */
  get knownDialect(): Promise<Dialect> | null {
    if (this.#mayHaveChanged) return null;
    return this.#connected?.then(({ dialect }) => dialect) ?? null;
  }

  /**
   * Whether connections were dropped since the detection, as they are when a server is replaced, and
   * when they were not used for some seconds. A Foundry Local is detected again after each drop: that
   * is a few quick requests. Another engine is detected again once a minute at most, and at once after
   * an answer of another server.
   */
  get #mayHaveChanged(): boolean {
    if (this.transport.drops === this.#dropsAtDetection) return false;
    const isEngine = this.#lastDialect?.can.isFoundryLocal === false;
    return !isEngine || Date.now() - this.#detectedAt >= ENGINE_KNOWN_MS;
  }

  /** Detects the service once, without retries and circuit breaker, for a health check. */
  async detectOnce({ limits, signal }: Call): Promise<Connected> {
    const totalMs = limits.wholeMs ?? this.#timeoutMs;
    // A detection is up to seven requests, each of which may remain unanswered.
    const detect = (end: AbortSignal) => this.#detect({ limits, signal: end, retry: false });
    const connected = await withinQuickLimits(this.endpoint, totalMs, detect, signal);
    this.#connected = Promise.resolve(connected);
    // A detection that began later may have seen more drops.
    this.#dropsAtDetection = connected.dropsBefore;
    return connected;
  }

  /**
   * After a success: whether another server gave it, so that it was misread. Where connections were
   * dropped, the service is detected again.
   *
   * @param changes The {@link changes} before the request.
   */
  async hasChangedSince(changes: number, signal?: AbortSignal): Promise<boolean> {
    if (!this.#mayHaveChanged) return false;
    await this.dialect(signal).catch(() => null);
    return this.changes !== changes;
  }

  /**
   * After an error: whether another server gave it. Detects the service again, where the error is one
   * that another server would give.
   *
   * @param changes The {@link changes} before the request.
   */
  async isReplaced(changes: number, error: FoundryError, signal?: AbortSignal): Promise<boolean> {
    if (error.status === null || !OF_ANOTHER_SERVER.has(error.code)) return false;
    // Another call may have detected it already.
    if (this.changes !== changes) return true;
    try {
      await this.detectOnce({ limits: { wholeMs: DETECTION_MS }, signal });
      return this.changes !== changes;
    } catch {
      // It does not answer now, so the first error is all that is known.
      return false;
    }
  }

  /** Takes note of an error: what was known may be wrong now. */
  noteError(error: FoundryError): void {
    if (MAY_HAVE_CHANGED.has(error.code)) this.#connected = null;
    this.forgetModels();
  }

  /** Whether an error shows that a service that is followed is gone from its address. */
  isGone(error: FoundryError): boolean {
    return this.isFollowed && (isRefused(error) || error.code === "CIRCUIT_OPEN");
  }

  /** The next request for models or health is not answered from what is known. */
  forgetModels(): void {
    this.models.forget();
    this.livenessChecks.clear();
    this.detailChecks.clear();
  }

  close(): Promise<void> {
    return this.transport.close();
  }

  async #connect(signal?: AbortSignal): Promise<Connected> {
    if (this.#mayHaveChanged) this.#connected = null;
    if (this.#connected === null) {
      this.#dropsAtDetection = this.transport.drops;
      // All callers share one detection, so no caller's signal ends it.
      const detection = this.#quickly((call) => this.#detect(call)).catch((error: unknown) => {
        // A later detection may have succeeded.
        if (this.#connected === detection) this.#connected = null;
        throw error;
      });
      this.#connected = detection;
    }
    return untilAborted(this.#connected, signal);
  }

  async #detect(call: Call): Promise<Connected> {
    const dropsBefore = this.transport.drops;
    const { dialect, status } = await detectDialect(this.transport, call).catch((error) =>
      this.#withoutList(error),
    );
    const { modelCachePath: path } = status ?? (await dialect.status(call));
    const modelCachePath = this.isOnThisMachine ? path : null;
    const last = this.#lastDialect;
    const isSame = dialect.name === last?.name && dialect.version === last.version;
    if (last !== null && !isSame) {
      this.changes += 1;
      this.forgetModels();
      this.models.forgetRequests();
    }
    this.#lastDialect = dialect;
    this.#detectedAt = Date.now();
    this.models.forgetList();
    // An endpoint that drops idle connections is looked at often.
    const level = isSame ? "debug" : "info";
    this.#log[level]({ endpoint: this.endpoint, dialect: dialect.title }, "service found");
    return { dialect, modelCachePath, dropsBefore };
  }

  /**
   * What answers may be an engine without a list of models: a completion that names its model shows
   * it. Not where a Foundry Local was: it answers oddly for a while.
   */
  #withoutList(error: unknown) {
    const isUnknown = error instanceof FoundryError && error.code === "NOT_FOUNDRY";
    const wasFoundry = this.isFollowed || this.#lastDialect?.can.isFoundryLocal === true;
    if (!isUnknown || wasFoundry) throw error;
    const dialect = openaiDialect(this.transport, { hasList: false });
    return { dialect, status: { pid: null, modelCachePath: null } };
  }

  /** Each attempt gets a part of the time, so that one without an answer leaves time for others. */
  #quickly<T>(work: (call: Call) => Promise<T>): Promise<T> {
    const totalMs = this.#timeoutMs;
    const limits = { firstByteMs: Math.ceil(totalMs / 3), wholeMs: totalMs };
    return withinQuickLimits(this.endpoint, totalMs, (signal) => work({ limits, signal }));
  }

  /** Where the service says that its models are stored, if its address is one of this machine. */
  async modelCachePath(signal?: AbortSignal): Promise<string | null> {
    return (await this.#connect(signal)).modelCachePath;
  }

  /**
   * Whether the service runs here, on this disk. A loopback address alone does not prove it: it may be
   * the end of a tunnel to a container or to another machine, whose process ids mean nothing here.
   *
   * @returns `null` where the disk has not answered yet.
   */
  async isOnThisDisk(): Promise<boolean | null> {
    const path = await this.modelCachePath();
    if (path === null) return false;
    const isThere = await exists(path);
    if (isThere !== LATE) this.#seenOnDisk = { path, isThere };
    return this.#seenOnDisk?.path === path ? this.#seenOnDisk.isThere : null;
  }
}
