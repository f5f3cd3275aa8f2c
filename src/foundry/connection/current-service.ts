import { setTimeout } from "node:timers/promises";
import { isRefused, pauseMs } from "../../http/index.js";
import {
  cancelledError,
  closedError,
  FoundryError,
  toFoundryError,
  untilAborted,
} from "../../lib/index.js";
import { type Machine, thisMachine } from "../../platform/index.js";
import { withoutSecrets } from "../../settings.js";
import { type FoundryCli, findFoundryCli } from "../cli/index.js";
import { Discovery, type FoundBy, guessWarning, type Search } from "../discovery/index.js";
import { ModelDownloader } from "../downloads/index.js";
import { EmbeddedService } from "../embedded/index.js";
import { CapacityCheck, ModelLoader } from "../loading/index.js";
import type { FoundryClientOptions } from "../options.js";
import { Service } from "../service/index.js";
import { type OnStatus, StatusListeners } from "../status.js";
import type { Connection } from "./connection.js";
import { RetiredConnections } from "./retired-connections.js";

export interface Asking {
  readonly signal?: AbortSignal | undefined;
  readonly tell?: OnStatus | undefined;
}

/** One call as it is tried with one connection after the other. */
export interface Tries {
  /** How often it was taken up anew. */
  count: number;
  /** The service's count of changes when this try began. */
  changes: number;
}

/** Pauses before a service that was just lost is looked for again, which may be about to come back. */
const LOOKS_AGAIN_AFTER_MS = [1100, 1500];
/** A search that took longer has started something or waited for somebody, and is not repeated. */
const QUICK_SEARCH_MS = 5000;

/** Answers that another server than the one we think of would give, with a status. */
const OF_ANOTHER_SERVER = new Set([
  "UNSUPPORTED_BY_SERVER",
  "MODEL_NOT_FOUND",
  "MODEL_NOT_CACHED",
  "LOAD_FAILED",
  "INVALID_RESPONSE",
]);

/** A look at what answers, to see whether it still is the same, takes no longer. */
const LOOK_MS = 5000;

/**
 * Which service is used now. A set endpoint is used and nothing else; without one the service of this
 * machine is found when it is first needed, and found again, once for all who wait, when nothing
 * listens where it was.
 */
export class CurrentService {
  readonly #options: FoundryClientOptions;
  readonly #machine: Machine;
  readonly #embedded: EmbeddedService;
  readonly #discovery: Discovery | null;
  readonly #closing = new AbortController();
  readonly #lost = new RetiredConnections();
  #current: Connection | null = null;
  #finding: { readonly search: Promise<Connection>; readonly audience: StatusListeners } | null =
    null;
  /** Whether there was a service that has gone, so that it may be about to come back. */
  #wasLost = false;
  #elsewhere: Discovery | null = null;

  /** @param machine Where to look; this one but in tests. */
  constructor(options: FoundryClientOptions, machine: Machine = safeMachine()) {
    this.#options = options;
    this.#machine = machine;
    // The folder that a host starts us in may be anybody's project: only for who asked for it.
    const directories = options.embedded === true ? ["."] : [];
    this.#embedded = new EmbeddedService({ machine, log: options.log, directories });
    if (options.endpoint !== undefined) {
      this.#discovery = null;
      this.#current = this.#connectionTo(options.endpoint, "set");
      return;
    }
    this.#discovery = this.#discoveryFor({
      autostart: options.autostart ?? true,
      embedded: options.embedded ?? "auto",
    });
  }

  /** The connection in use, if there is one, without any search. */
  get known(): Connection | null {
    return this.#current;
  }

  /** What the last search came to; `null` where none was needed yet, or an endpoint is set. */
  get lastSearch(): Search | null {
    return this.#discovery?.lastSearch ?? null;
  }

  get lastSearchMs(): number | null {
    return this.#discovery?.lastSearchMs ?? null;
  }

  /** Why there is no service, after a look that found none. */
  get whyNothing(): FoundryError {
    return this.#discovery?.whyNothing ?? nothingFound();
  }

  /**
   * The connection in use, found first where there is none.
   *
   * @throws FoundryError `NO_ENDPOINT` with all that was tried.
   */
  async connection({ signal, tell }: Asking = {}): Promise<Connection> {
    if (this.#current !== null) return this.#current;
    if (signal?.aborted === true) throw cancelledError();
    // One search for all who wait; each of them only stops waiting.
    this.#finding ??= this.#beginFinding();
    const { search, audience } = this.#finding;
    const leave = audience.join(tell);
    try {
      const connection = await untilAborted(search, signal);
      const message = `Found Foundry Local at ${connection.service.endpoint}`;
      tell?.({ step: "found", message, percent: null });
      return connection;
    } finally {
      leave();
    }
  }

  /** Looks without starting anything, for a health check. `null` where nothing is found. */
  async look(signal?: AbortSignal): Promise<Connection | null> {
    if (this.#current !== null || this.#discovery === null) return this.#current;
    const search = await this.#discovery.search({ signal, mayStart: false });
    return search.found === null ? null : this.#use(search.found.endpoint, search.found.foundBy);
  }

  /**
   * Does something with the service in use; once more with what is found then, when nobody listens
   * any more where it was, or another server answers there than did before.
   */
  async use<T>(asking: Asking, work: (connection: Connection) => Promise<T>): Promise<T> {
    const tries: Tries = { count: 0, changes: 0 };
    for (;;) {
      const connection = await this.connection(asking);
      tries.changes = connection.service.changes;
      try {
        const result = await work(connection);
        if (!(await this.#changedMeanwhile(connection, tries, asking.signal))) return result;
        tries.count += 1;
      } catch (thrown) {
        const error = toFoundryError(thrown);
        if (!(await this.isWorthAnotherTry(connection, error, tries, asking.signal))) throw error;
      }
    }
  }

  /**
   * Takes note of a failure and decides whether the same is to be done again from the beginning. The
   * retries of single requests are below, and none of what is decided here was retried there.
   */
  async isWorthAnotherTry(
    connection: Connection,
    error: FoundryError,
    tries: Tries,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    connection.service.noteError(error);
    const retries = this.#options.retry?.retries ?? 3;
    const isGone = this.noteDeath(connection, error);
    if (!isGone && error.code === "SERVER_CRASHED" && this.#discovery !== null) {
      // Its death was seen; what it died of is not sent again.
      this.#lose(connection);
      return false;
    }
    if (signal?.aborted === true || tries.count >= retries) return false;
    if (!isGone && !(await this.#isAnotherServer(connection, tries.changes, error, signal))) {
      return false;
    }
    tries.count += 1;
    // Not before the first: what is found then was just seen alive.
    if (tries.count > 1) await pause(pauseMs(tries.count, null, this.#options.retry ?? {}), signal);
    return true;
  }

  /** Whether an error says that the service is gone from where it was; then it is forgotten. */
  noteDeath(connection: Connection, error: FoundryError): boolean {
    const isGone = this.#discovery !== null && (isRefused(error) || error.code === "CIRCUIT_OPEN");
    if (isGone) this.#lose(connection);
    return isGone;
  }

  /** Foundry Local's command line on this machine. */
  async commandLine(): Promise<FoundryCli | null> {
    if (this.#discovery !== null) return this.#discovery.cli();
    return findFoundryCli(this.#machine, this.#options.cliPath);
  }

  /** Where the service is, when it does not answer at an endpoint of this machine that was set. */
  async elsewhere({ service }: Connection, signal?: AbortSignal): Promise<string | null> {
    if (this.#discovery !== null || !service.isOnThisMachine) return null;
    this.#elsewhere ??= this.#discoveryFor({ autostart: false, embedded: false });
    const search = this.#elsewhere.search({ signal, mayStart: false });
    const { found } = await search.catch(() => ({ found: null }));
    // At the same host and port it has not moved: the address is wrong in another way, such as https.
    const isThere = found !== null && hostOf(found.endpoint) === hostOf(service.endpoint);
    return found === null || isThere ? null : found.endpoint;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const connections = [...this.#lost.all, ...(this.#current === null ? [] : [this.#current])];
    await Promise.all([
      ...connections.map(({ service }) => service.close()),
      this.#discovery?.close(),
      this.#elsewhere?.close(),
    ]);
  }

  /** Whether another server took the place of the one that was asked, so that its answers were misread. */
  async #changedMeanwhile(
    { service }: Connection,
    { count, changes }: Tries,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    if (!service.mayHaveChanged || count >= (this.#options.retry?.retries ?? 3)) return false;
    await service.dialect(signal).catch(() => null);
    return service.changes !== changes;
  }

  async #isAnotherServer(
    { service }: Connection,
    changesBefore: number,
    error: FoundryError,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    if (error.status === null || !OF_ANOTHER_SERVER.has(error.code)) return false;
    // Another call may have noticed it already.
    if (service.changes !== changesBefore) return true;
    try {
      const limits = { wholeMs: LOOK_MS };
      await service.lookOnce(signal === undefined ? { limits } : { limits, signal });
      return service.changes !== changesBefore;
    } catch {
      // It does not answer now; what it said before is all there is to tell.
      return false;
    }
  }

  #discoveryFor(may: { autostart: boolean; embedded: boolean | "auto" }): Discovery {
    const { cliPath, log, discovery } = this.#options;
    const embeddedService = this.#embedded;
    const machine = this.#machine;
    return new Discovery({ machine, ...may, discovery, cliPath, log, embeddedService });
  }

  #lose(connection: Connection): void {
    if (this.#current !== connection) return;
    this.#current = null;
    this.#wasLost = true;
    this.#lost.add(connection);
  }

  #beginFinding() {
    const audience = new StatusListeners();
    const search = this.#find((news) => audience.tell(news)).finally(() => {
      this.#finding = null;
    });
    return { search, audience };
  }

  async #find(tell: OnStatus): Promise<Connection> {
    const discovery = this.#discovery;
    // With an endpoint that is set there always is a connection.
    if (discovery === null) throw new Error("an endpoint is set, so nothing is searched for");
    const pauses = this.#wasLost ? [...LOOKS_AGAIN_AFTER_MS] : [];
    this.#wasLost = false;
    tell({ step: "finding", message: "Looking for Foundry Local", percent: null });
    for (;;) {
      const begin = performance.now();
      const { found, error } = await discovery.search({ onStatus: tell });
      if (found !== null) return this.#use(found.endpoint, found.foundBy);
      const wasQuick = performance.now() - begin < QUICK_SEARCH_MS;
      const again = wasQuick ? pauses.shift() : undefined;
      if (again === undefined) throw error ?? nothingFound();
      // Holds the process: somebody waits, perhaps a script that has nothing else to do.
      await setTimeout(again, undefined, { signal: this.#closing.signal }).catch(() => {
        throw closedError();
      });
    }
  }

  #use(endpoint: string, foundBy: FoundBy): Connection {
    if (this.#closing.signal.aborted) throw closedError();
    // Somebody else may have found it meanwhile.
    if (this.#current?.service.endpoint === endpoint) return this.#current;
    if (this.#current !== null) this.#lose(this.#current);
    this.#current = this.#lost.takeUpAgain(endpoint) ?? this.#connectionTo(endpoint, foundBy);
    return this.#current;
  }

  #connectionTo(endpoint: string, foundBy: FoundBy): Connection {
    const { downloadStallMs } = this.#options;
    const { apiKey: _key, headers: _headers, ...open } = this.#options;
    // Foundry Local wants no key, so one is for the endpoint that was set with it, not for a found one.
    const options = this.#discovery === null ? this.#options : open;
    const service = new Service(endpoint, options, this.#discovery !== null);
    const room = new CapacityCheck(service, this.#machine);
    return {
      service,
      foundBy,
      guessWarning: foundBy === "guess" ? guessWarning(service.endpoint) : null,
      room,
      loader: new ModelLoader(service, this.#options.model, room),
      downloader: new ModelDownloader(
        {
          service,
          machine: this.#machine,
          ...(foundBy === "embedded" ? { embedded: this.#embedded } : {}),
          // A download goes to the models of this machine, whoever told where the service is.
          cli: () => this.commandLine(),
        },
        {
          log: this.#options.log,
          ...(downloadStallMs === undefined ? {} : { limits: { stallMs: downloadStallMs } }),
        },
      ),
    };
  }
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await setTimeout(ms, undefined, signal === undefined ? {} : { signal });
  } catch {
    throw cancelledError();
  }
}

const hostOf = (endpoint: string): string =>
  URL.canParse(endpoint) ? new URL(endpoint).host : endpoint;

/** For the case that a search ends without a word. */
const nothingFound = (): FoundryError =>
  new FoundryError("NO_ENDPOINT", "No Foundry Local was found.", {
    action: "Start it, or set FOUNDRY_ENDPOINT.",
    retryable: true,
  });

/** Programs that we start learn nothing of what is meant for a service. */
function safeMachine(): Machine {
  const machine = thisMachine();
  return { ...machine, environment: withoutSecrets(machine.environment) };
}
