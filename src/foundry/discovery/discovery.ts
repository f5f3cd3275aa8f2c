import {
  cancelledError,
  closedError,
  FoundryError,
  SharedTask,
  toFoundryError,
} from "../../lib/index.js";
import type { Logger } from "../../log.js";
import { type ListenerOwner, type Machine, ownerOfListener } from "../../platform/index.js";
import { type FoundryCli, findFoundryCli } from "../cli/index.js";
import { EmbeddedService } from "../embedded/index.js";
import type { OnStatus, StatusUpdate } from "../status.js";
import { candidateOf } from "./candidate.js";
import type { Found, Search } from "./found.js";
import { searchOnce } from "./search.js";
import { TIMING, type Timing } from "./timing.js";

export interface DiscoveryOptions {
  readonly machine: Machine;
  /** Start the service where it is installed and not running. */
  readonly autostart: boolean;
  /** Host the core in a child process: always, never, or where there is no other service. */
  readonly embedded: boolean | "auto";
  /** Path of the command line, where the user set it. */
  readonly cliPath?: string | undefined;
  /** Longest wait for a started service, in milliseconds. Default 60 000. */
  readonly startTimeoutMs?: number;
  /** `declared`: only where the command line or the daemon's file says, no known ports. Default `auto`. */
  readonly discovery?: "auto" | "declared" | undefined;
  /** Whose program listens on a port of this machine. Default: asked of the system. */
  readonly ownerOf?: ((port: number, signal: AbortSignal) => Promise<ListenerOwner>) | undefined;
  /** Ports that are tried blindly, last. Default: those of `docs/foundry-local.md`, section 12. */
  readonly knownPorts?: readonly number[];
  readonly log?: Logger | undefined;
  /** The service in a process of ours; `close()` ends it. Default: one with its own defaults. */
  readonly embeddedService?: EmbeddedService;
  /** How patient it is, and its clock. For tests. */
  readonly timing?: Partial<Timing>;
}

export interface SearchOptions {
  readonly signal?: AbortSignal | undefined;
  readonly tell?: OnStatus | undefined;
  /** `false`: look only, start nothing, as a health check does. Default `true`. */
  readonly mayStart?: boolean;
}

/** Of editor extensions and old documents, an old pin, samples, and two popular pins. */
const KNOWN_PORTS = [5272, 5273, 5764, 39839, 22334];

/** A cold start was seen to take 30 seconds. */
const START_TIMEOUT_MS = 60_000;

/** A search that is running. */
interface Running {
  readonly mayStart: boolean;
  readonly search: SharedTask<Search, StatusUpdate>;
}

/** Finds the service of this machine. */
export class Discovery {
  readonly #timing: Timing;
  readonly #embedded: EmbeddedService;
  readonly #closing = new AbortController();
  #running: Running | null = null;
  #lastUrl: string | null = null;
  /** Whether nothing but its answer said that this is a Foundry Local of this user. */
  #lastIsGuess = false;
  #lastSearch: Search | null = null;
  #lastSearchMs: number | null = null;
  #startFailure: FoundryError | null = null;
  #failure: { readonly search: Search; readonly mayStart: boolean; readonly at: number } | null =
    null;
  #cli: FoundryCli | null = null;

  constructor(readonly options: DiscoveryOptions) {
    this.#timing = { ...TIMING, ...options.timing };
    const { machine, log, embeddedService } = options;
    this.#embedded = embeddedService ?? new EmbeddedService({ machine, log });
  }

  /**
   * Looks everywhere, once for all who ask at the same time; each of them only stops waiting. Never
   * rejects but for an abort, or for `close()`.
   */
  async search({ signal, tell, mayStart = true }: SearchOptions = {}): Promise<Search> {
    if (signal?.aborted === true) throw cancelledError();
    // Without anything that may be started, looking is all there is.
    const wantsStart = mayStart && (this.options.autostart || this.options.embedded !== false);
    for (;;) {
      if (this.#closing.signal.aborted) throw closedError();
      const kept = this.#keptFailure(wantsStart);
      if (kept !== null) return kept;
      const running = this.#running ?? this.#begin(wantsStart);
      // Who only looks does not wait for a start, which takes a minute and more.
      if (!wantsStart && running.mayStart) return this.#peek(running, signal, tell);
      const search = await running.search.wait({ signal, onUpdate: tell });
      if (search.found !== null || running.mayStart || !wantsStart) return search;
    }
  }

  /** What the last search came to; `null` before the first. */
  get lastSearch(): Search | null {
    return this.#lastSearch;
  }

  /** How long the last search took, what it started included, in milliseconds. */
  get lastSearchMs(): number | null {
    return this.#lastSearchMs;
  }

  /**
   * Why there is nothing, as the last search saw it. One that only looked says that the next call will
   * start it; where the last start failed, that is what is to be told.
   */
  get whyNothing(): FoundryError | null {
    if (this.#running?.mayStart === true) return underWay(this.#running);
    const { start, error = null } = this.#lastSearch ?? {};
    return start === "next" ? (this.#startFailure ?? error) : error;
  }

  /** Notes where the service was seen alive, to be tried there first. */
  remember(endpoint: string): void {
    const { url, fault } = candidateOf(endpoint);
    if (fault !== null) return;
    this.#lastUrl = url;
    this.#failure = null;
    this.#startFailure = null;
  }

  /** The command line as it is installed now; the same one as long as it is in the same place. */
  async cli(): Promise<FoundryCli | null> {
    const { machine, cliPath } = this.options;
    const found = await findFoundryCli(machine, cliPath);
    // What one has been asked tells its generation; an update may have put another in its place.
    if (found === null || found.path !== this.#cli?.path) this.#cli = found;
    return this.#cli;
  }

  /** Ends what it started for us: the embedded service. Never a service of the machine's. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#embedded.close();
  }

  /** Twenty calls that fail together must not start twenty command lines one after the other. */
  #keptFailure(wantsStart: boolean): Search | null {
    if (this.#failure === null) return null;
    const { search, mayStart, at } = this.#failure;
    const isFresh = this.#timing.now() - at < this.#timing.failureKeptMs;
    return isFresh && (mayStart || !wantsStart) ? search : null;
  }

  async #peek(
    running: Running,
    signal: AbortSignal | undefined,
    tell: OnStatus | undefined,
  ): Promise<Search> {
    const patience = AbortSignal.timeout(this.#timing.lookMs);
    const end = signal === undefined ? patience : AbortSignal.any([signal, patience]);
    try {
      return await running.search.wait({ signal: end, onUpdate: tell });
    } catch (error) {
      if (!patience.aborted || signal?.aborted === true || this.#closing.signal.aborted)
        throw error;
      return { found: null, trials: [], error: underWay(running) };
    }
  }

  #begin(mayStart: boolean): Running {
    const work = (task: SharedTask<Search, StatusUpdate>) =>
      this.#searchOnce(mayStart, (update) => task.update(update));
    const running = { mayStart, search: new SharedTask(work, { runsOn: true }) };
    this.#running = running;
    return running;
  }

  async #searchOnce(mayStart: boolean, tell: OnStatus): Promise<Search> {
    const { machine, autostart, embedded, log, cliPath } = this.options;
    const { signal } = this.#closing;
    const begin = this.#timing.now();
    let search: Search;
    try {
      search = await searchOnce({
        machine,
        autostart,
        embedded,
        log,
        signal,
        mayStart,
        tell,
        last: this.#last(),
        knownPorts:
          this.options.discovery === "declared" ? [] : (this.options.knownPorts ?? KNOWN_PORTS),
        ownerOf:
          this.options.ownerOf ??
          ((port, asked) => ownerOfListener(port, { machine, signal: asked })),
        cli: () => this.cli(),
        isCliSet: cliPath !== undefined,
        timing: this.#timing,
        embeddedService: this.#embedded,
        startTimeoutMs: this.options.startTimeoutMs ?? START_TIMEOUT_MS,
      });
    } catch (thrown) {
      search = { found: null, trials: [], error: toFoundryError(thrown) };
    } finally {
      this.#running = null;
    }
    if (signal.aborted) throw closedError();
    const ms = Math.round(this.#timing.now() - begin);
    log?.info({ found: search.found, trials: search.trials, ms }, "looked for Foundry Local");
    this.#lastSearch = search;
    this.#lastSearchMs = ms;
    if (search.start === "failed") this.#startFailure = search.error;
    if (search.found === null) this.#failure = { search, mayStart, at: this.#timing.now() };
    else {
      this.remember(search.found.endpoint);
      this.#lastIsGuess = search.found.foundBy === "guess";
    }
    return search;
  }

  #last(): Found | null {
    const endpoint = this.#lastUrl;
    if (endpoint === null) return null;
    const isEmbedded = endpoint === this.#embedded.endpoint;
    const foundBy = isEmbedded ? "embedded" : this.#lastIsGuess ? "guess" : "last_url";
    return { endpoint, foundBy };
  }
}

const underWay = ({ search: { latest } }: Running): FoundryError =>
  new FoundryError(
    "NO_ENDPOINT",
    `Foundry Local is not up yet. Under way: ${latest?.message ?? "looking for it"}.`,
    { action: "Ask again in a moment.", retryable: true },
  );
