import { isRefused, pauseMs } from "../http/index.js";
import {
  cancelledError,
  closedError,
  FoundryError,
  type MetricsRecorder,
  type Operation,
  pause,
  SharedTasks,
  toFoundryError,
} from "../lib/index.js";
import { type Machine, thisMachine } from "../platform/index.js";
import { withoutSecrets } from "../settings.js";
import type { CallOptions, OnStatus, StatusUpdate } from "./calls.js";
import { Discovery, type FoundBy, guessWarning, type LastSearch } from "./discovery/index.js";
import { ModelDownloader } from "./downloads/index.js";
import { EmbeddedService } from "./embedded/index.js";
import { CapacityCheck, MissingModels, ModelLoader } from "./loading/index.js";
import type { FoundryClientOptions } from "./options.js";
import { Service } from "./service/index.js";

/** A service that was found, and what belongs to it. */
export interface Connection {
  readonly service: Service;
  readonly loader: ModelLoader;
  readonly downloader: ModelDownloader;
  readonly capacity: CapacityCheck;
  readonly foundBy: FoundBy;
  /** The warning in the first answer of a service that was found by guessing. */
  guessWarning: string | null;
}

/** The signal that ends a call, and the listener to its status. */
interface CallContext extends Pick<CallOptions, "signal" | "onStatus"> {
  /** What the call does. A death of the service is taken for the fault of a load or of embeddings only. */
  readonly operation?: Operation | null;
}

/** Pauses between searches for a service that was just lost: it may be restarting. */
const SEARCH_PAUSES_MS = [1100, 1500];
/** A search that took longer has started or awaited a program, and is not repeated. */
const QUICK_SEARCH_MS = 5000;

/** The attempts of one call, on one connection after the other. */
export class Attempts {
  /** How many were made again. */
  retries = 0;
  /** The service's count of changes when the current attempt began. */
  changes = 0;
  /** How often the service died of a request. */
  deaths = 0;
}

/**
 * The service in use. An endpoint that is set is used and nothing else; without one, the service of
 * this machine is found when it is first needed, and found again when it is gone from its address.
 * Concurrent callers share a search.
 */
export class CurrentService {
  readonly #options: FoundryClientOptions;
  readonly #machine: Machine;
  readonly #embedded: EmbeddedService;
  /** Finds the service or, where an endpoint is set, what runs beside it. */
  readonly discovery: Discovery;
  /** Whether the service is found again when it is gone: no endpoint is set. */
  readonly #isFollowed: boolean;
  readonly #closing = new AbortController();
  /** Not closed: streams may still run on them, and a call between two requests gets the error from its next one. */
  #retired: readonly Connection[] = [];
  readonly #searches = new SharedTasks<Connection, StatusUpdate>({ runsOn: true });
  #current: Connection | null = null;
  /** Whether a service was lost since the last search, so that it may be restarting. */
  #wasLost = false;

  /** @param machine Where to search; another than this one only in tests. */
  constructor(
    options: FoundryClientOptions,
    machine: Machine = safeMachine(),
    readonly metrics?: MetricsRecorder,
  ) {
    this.#options = options;
    this.#machine = machine;
    // The folder that a host starts us in may be an untrusted project: only on request.
    const directories = options.embedded === true ? [machine.folder ?? "."] : [];
    this.#embedded = new EmbeddedService({ machine, log: options.log, directories });
    const { endpoint, cliPath, log, discovery } = options;
    this.#isFollowed = endpoint === undefined;
    this.discovery = new Discovery({
      machine,
      autostart: this.#isFollowed && (options.autostart ?? true),
      embedded: this.#isFollowed && (options.embedded ?? "auto"),
      discovery,
      cliPath,
      log,
      embeddedService: this.#embedded,
    });
    if (endpoint !== undefined) this.#current = this.#connectionTo(endpoint, "set");
  }

  /** The connection in use, if there is one, without any search. */
  get known(): Connection | null {
    return this.#current;
  }

  /** The last search; `null` where none was needed yet, or an endpoint is set. */
  get lastSearch(): LastSearch | null {
    return this.#isFollowed ? this.discovery.lastSearch : null;
  }

  /** Why there is no service, after a search that found none. */
  get whyNothing(): FoundryError {
    return this.discovery.whyNothing ?? nothingFound();
  }

  /**
   * The connection in use. Searches for a service where there is none.
   *
   * @throws FoundryError `NO_ENDPOINT` with all that was tried.
   */
  async connection({ signal, onStatus }: CallContext = {}): Promise<Connection> {
    if (this.#current !== null) return this.#current;
    if (signal?.aborted === true) throw cancelledError();
    const search = this.#searches.get("any", (task) => this.#find((update) => task.update(update)));
    const connection = await search.wait({ signal, onUpdate: onStatus });
    const message = `Found Foundry Local at ${connection.service.endpoint}`;
    onStatus?.({ step: "found", message, percent: null });
    return connection;
  }

  /** Searches without starting anything, for a health check. `null` where nothing is found. */
  async findRunning(signal?: AbortSignal): Promise<Connection | null> {
    if (this.#current !== null) return this.#current;
    const search = await this.discovery.search({ signal, mayStart: false });
    return search.found === null ? null : this.#use(search.found.endpoint, search.found.foundBy);
  }

  /**
   * Runs the work on the service in use; again on the service found then, when nothing listens at the
   * address any more, or another server answers there than before.
   */
  async use<T>(context: CallContext, work: (connection: Connection) => Promise<T>): Promise<T> {
    const { signal } = context;
    const attempts = new Attempts();
    for (;;) {
      const connection = await this.connection(context);
      const { service } = connection;
      attempts.changes = service.changes;
      try {
        const result = await work(connection);
        const mayRetry = attempts.retries < this.#mostRetries;
        if (!mayRetry || !(await service.hasChangedSince(attempts.changes, signal))) return result;
        attempts.retries += 1;
      } catch (thrown) {
        const error = toFoundryError(thrown);
        const request = context.operation && DEADLY[context.operation];
        const crash = request ? afterDeath(error, attempts, request) : null;
        if (crash !== null) {
          this.note(connection, error);
          throw crash;
        }
        if (!(await this.shouldRetry(connection, error, attempts, signal))) throw error;
      }
    }
  }

  /**
   * Takes note of a failure. Where nothing listens at the address any more, or the service crashed, the next
   * call searches.
   *
   * @returns Whether nothing listens there.
   */
  note(connection: Connection, error: FoundryError): boolean {
    connection.service.noteError(error);
    const isGone = this.noteGone(connection, error);
    if (error.code === "SERVER_CRASHED" && this.#isFollowed) this.#retire(connection, error);
    return isGone;
  }

  /**
   * Takes note of a failure and decides whether the call is made again from the beginning, after a pause.
   * Single requests are retried by the transport, which retries no failure that is decided here.
   */
  async shouldRetry(
    connection: Connection,
    error: FoundryError,
    attempts: Attempts,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const isGone = this.note(connection, error);
    // The request may have caused the crash, so it is not sent again.
    if (!isGone && error.code === "SERVER_CRASHED" && this.#isFollowed) return false;
    if (signal?.aborted === true || attempts.retries >= this.#mostRetries) return false;
    const { service } = connection;
    if (!isGone && !(await service.isReplaced(attempts.changes, error, signal))) return false;
    attempts.retries += 1;
    // No pause before the first retry: the service that is found then has just answered a probe.
    if (attempts.retries > 1) {
      const ms = pauseMs(attempts.retries, null, this.#options.retry ?? {});
      await pause(ms, signal);
    }
    return true;
  }

  /** Whether an error shows that the service is gone from its address; its connection is retired then. */
  noteGone(connection: Connection, error: FoundryError): boolean {
    const isGone = connection.service.isGone(error);
    if (isGone) this.#retire(connection, error);
    return isGone;
  }

  /** Where the service runs, when it does not answer at an endpoint of this machine that was set. */
  async elsewhere({ service }: Connection, signal?: AbortSignal): Promise<string | null> {
    if (this.#isFollowed || !service.isOnThisMachine) return null;
    const search = this.discovery.search({ signal, mayStart: false });
    const { found } = await search.catch(() => ({ found: null }));
    // At the same host and port it did not move: the address is wrong in another way, such as https.
    const isMoved =
      found !== null && new URL(found.endpoint).host !== new URL(service.endpoint).host;
    return isMoved ? found.endpoint : null;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const connections = [...this.#retired, ...(this.#current === null ? [] : [this.#current])];
    await Promise.all([
      ...connections.map(({ service }) => service.close()),
      this.discovery.close(),
    ]);
  }

  get #mostRetries(): number {
    return this.#options.retry?.retries ?? 3;
  }

  #retire(connection: Connection, error?: FoundryError): void {
    if (this.#current !== connection) return;
    const { endpoint } = connection.service;
    this.#options.log?.warn({ endpoint, code: error?.code }, "service lost");
    this.#current = null;
    this.#wasLost = true;
    this.#retired = [...this.#retired.filter(isInUse), connection];
  }

  async #find(onStatus: OnStatus): Promise<Connection> {
    const pauses = this.#wasLost ? [...SEARCH_PAUSES_MS] : [];
    this.#wasLost = false;
    onStatus({ step: "finding", message: "Looking for Foundry Local", percent: null });
    for (;;) {
      const begin = performance.now();
      const { found, error } = await this.discovery.search({ onStatus });
      if (found !== null) return this.#use(found.endpoint, found.foundBy);
      const wasQuick = performance.now() - begin < QUICK_SEARCH_MS;
      const nextPauseMs = wasQuick ? pauses.shift() : undefined;
      if (nextPauseMs === undefined) throw error ?? nothingFound();
      // The timer keeps the process alive: a script may wait for nothing else.
      await pause(nextPauseMs, this.#closing.signal).catch(() => {
        throw closedError();
      });
    }
  }

  #use(endpoint: string, foundBy: FoundBy): Connection {
    if (this.#closing.signal.aborted) throw closedError();
    // A concurrent search may have found it.
    if (this.#current?.service.endpoint === endpoint) return this.#current;
    if (this.#current !== null) this.#retire(this.#current);
    // One that was retired too early knows which models our own generations use.
    const same = this.#retired.find(
      (each) =>
        each.service.endpoint === endpoint &&
        isInUse(each) &&
        each.service.transport.circuit.state === "closed",
    );
    this.#retired = this.#retired.filter((each) => each !== same);
    this.#current = same ?? this.#connectionTo(endpoint, foundBy);
    return this.#current;
  }

  #connectionTo(endpoint: string, foundBy: FoundBy): Connection {
    const { log, downloadStallMs } = this.#options;
    const { apiKey: _key, headers: _headers, ...open } = this.#options;
    // Foundry Local needs no key: a key belongs to the endpoint that it was set with, not to a found one.
    const options = this.#isFollowed ? open : this.#options;
    const service = new Service(endpoint, options, this.#isFollowed, this.metrics);
    const machine = this.#machine;
    const capacity = new CapacityCheck(service, machine);
    const embedded = foundBy === "embedded" ? this.#embedded : undefined;
    // A download goes to the models of this machine, however the service was found.
    const cli = () => this.discovery.cli();
    const limits = downloadStallMs === undefined ? {} : { stallMs: downloadStallMs };
    const downloader = new ModelDownloader({ service, machine, embedded, cli }, { log, limits });
    const missing = new MissingModels(service, downloader);
    return {
      service,
      foundBy,
      guessWarning: foundBy === "guess" ? guessWarning(service.endpoint) : null,
      capacity,
      loader: new ModelLoader(service, this.#options.model, missing, capacity),
      downloader,
    };
  }
}

const isInUse = ({ service }: Connection): boolean => !service.transport.isIdle;

/** For a search that ends without an error. */
const nothingFound = (): FoundryError =>
  new FoundryError("NO_ENDPOINT", "No Foundry Local was found.", {
    action: "Start it, or set the option `endpoint`.",
    retryable: true,
  });

/** This machine, without our own secrets in the environment of programs that are started. */
function safeMachine(): Machine {
  const machine = thisMachine();
  return { ...machine, environment: withoutSecrets(machine.environment) };
}

/** The requests of operations of which the service may die, in words. */
const DEADLY: Partial<Record<Operation, string>> = {
  load: "this load",
  embed: "this request for embeddings",
};

/**
 * Takes note of a failure of which the service may have died.
 *
 * @param request The request in words, such as "this request to phi-4-mini".
 * @returns the error in its final words when it has died twice; else `null`.
 */
export function afterDeath(
  error: FoundryError,
  attempts: Attempts,
  request: string,
): FoundryError | null {
  // An earlier attempt reached the service, and nothing listens there any more.
  const isDead = isRefused(error)
    ? error.attempts > 1
    : error.code === "CIRCUIT_OPEN" && error.attempts > 0;
  if (!isDead) return null;
  attempts.deaths += 1;
  if (attempts.deaths < 2) return null;
  return error.reworded({
    code: "SERVER_CRASHED",
    message: `The service died of ${request} twice, so it is not sent again.`,
    action: "Try another variant or another model. If the prompt is long, shorten it.",
    retryable: false,
  });
}
