import {
  cancelledError,
  closedError,
  FoundryError,
  joinedSignal,
  SharedTask,
  TIMED_OUT,
  toFoundryError,
  waitFor,
} from "../../lib/index.js";
import type { Logger } from "../../log.js";
import { type Machine, ownerOfListener } from "../../platform/index.js";
import type { CallOptions, OnStatus, StatusUpdate } from "../calls.js";
import { type FoundryCli, findFoundryCli } from "../cli/index.js";
import type { EmbeddedService } from "../embedded/index.js";
import type { Found } from "./attempt.js";
import type { OwnerOf } from "./probe.js";
import { TIMING, type Timing } from "./scan.js";
import { type Search, searchOnce } from "./search.js";

export interface DiscoveryOptions {
  readonly machine: Machine;
  /** Start the service where it is installed and not running. */
  readonly autostart: boolean;
  /** Whether to host the core in a child process: always, never, or if there is no other service. */
  readonly embedded: boolean | "auto";
  /** Path of the command line, where the user set it. */
  readonly cliPath?: string | undefined;
  /** Longest wait for a started service, in milliseconds. Default 60 000. */
  readonly startTimeoutMs?: number;
  /** `declared`: use the command line and the daemon's file, but no known ports. Default `auto`. */
  readonly discovery?: "auto" | "declared" | undefined;
  /** Default: the system's answer. */
  readonly ownerOf?: OwnerOf | undefined;
  /** Ports that are probed last. Default: {@link KNOWN_PORTS}. */
  readonly knownPorts?: readonly number[];
  readonly log?: Logger | undefined;
  /** The service in our own child process; `close()` ends it. */
  readonly embeddedService: EmbeddedService;
  /** Time limits and the clock. For tests. */
  readonly timing?: Partial<Timing>;
}

interface SearchOptions extends Pick<CallOptions, "signal" | "onStatus"> {
  /** `false`: only scan and start nothing, as a health check does. Default `true`. */
  readonly mayStart?: boolean;
}

/**
 * Ports that a Foundry Local often has, because extensions, samples and users configure them
 * (`docs/foundry-local.md`, section 12).
 */
export const KNOWN_PORTS: readonly number[] = [5272, 5273, 5764, 39839, 22334];

/** A cold start was observed to take 30 seconds. */
const START_TIMEOUT_MS = 60_000;

export interface LastSearch extends Search {
  /** How long it took, including what it started, in milliseconds. */
  readonly ms: number;
  readonly mayStart: boolean;
  readonly endedAt: number;
}

interface Running {
  readonly mayStart: boolean;
  readonly search: SharedTask<Search, StatusUpdate>;
}

export class Discovery {
  readonly #timing: Timing;
  readonly #closing = new AbortController();
  #running: Running | null = null;
  /** Where the service answered last, and the `foundBy` that the next search reports for it. */
  #last: Found | null = null;
  /** `null` before the first. */
  lastSearch: LastSearch | null = null;
  #startFailure: FoundryError | null = null;
  #cli: FoundryCli | null = null;

  constructor(readonly options: DiscoveryOptions) {
    this.#timing = { ...TIMING, ...options.timing };
  }

  /**
   * Searches everywhere. Calls at the same time share one search; an abort ends only the caller's
   * wait. Rejects only on an abort and on `close()`.
   */
  async search({ signal, onStatus, mayStart = true }: SearchOptions = {}): Promise<Search> {
    if (signal?.aborted === true) throw cancelledError();
    // If the settings allow no start, every search only scans.
    const wantsStart = mayStart && (this.options.autostart || this.options.embedded !== false);
    for (;;) {
      if (this.#closing.signal.aborted) throw closedError();
      const kept = this.#keptFailure(wantsStart);
      if (kept !== null) return kept;
      const running = this.#running ?? this.#begin(wantsStart);
      // A scan does not wait for a start, which takes a minute and more.
      const withinMs = !wantsStart && running.mayStart ? this.#timing.scanMs : undefined;
      const search = await follow(running, { signal, onStatus }, withinMs);
      if (search.found !== null || running.mayStart || !wantsStart) return search;
    }
  }

  /**
   * Why the last search found nothing. A scan reports that the next call starts the service; if the
   * last start failed, that failure is more useful and is returned instead.
   */
  get whyNothing(): FoundryError | null {
    if (this.#running?.mayStart === true) return inFlight(this.#running);
    const { start, error = null } = this.lastSearch ?? {};
    return start === "next" ? (this.#startFailure ?? error) : error;
  }

  /** The installed command line; the same object as long as its path is the same. */
  async cli(): Promise<FoundryCli | null> {
    const { machine, cliPath } = this.options;
    const found = await findFoundryCli(machine, cliPath);
    // The object knows its generation from earlier answers. Another path may be another generation.
    if (found === null || found.path !== this.#cli?.path) this.#cli = found;
    return this.#cli;
  }

  /** Ends the embedded service. An installed service that it started goes on. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.options.embeddedService.close();
  }

  /** Twenty calls that fail together must not run twenty command lines one after the other. */
  #keptFailure(wantsStart: boolean): Search | null {
    const last = this.lastSearch;
    if (last === null || last.found !== null) return null;
    const isFresh = this.#timing.now() - last.endedAt < this.#timing.failureKeptMs;
    return isFresh && (last.mayStart || !wantsStart) ? last : null;
  }

  #begin(mayStart: boolean): Running {
    const work = (task: SharedTask<Search, StatusUpdate>) =>
      this.#searchOnce(mayStart, (update) => task.update(update));
    const running = { mayStart, search: new SharedTask(work, { runsOn: true }) };
    this.#running = running;
    return running;
  }

  async #searchOnce(mayStart: boolean, onStatus: OnStatus): Promise<Search> {
    const {
      machine,
      log,
      cliPath,
      discovery,
      embeddedService,
      knownPorts = KNOWN_PORTS,
      ownerOf = (port, end) => ownerOfListener(port, { machine, signal: end }),
      startTimeoutMs = START_TIMEOUT_MS,
    } = this.options;
    const { signal } = this.#closing;
    const last = this.#last;
    const isEmbedded = last !== null && last.endpoint === embeddedService.endpoint;
    const begin = this.#timing.now();
    let search: Search;
    try {
      search = await searchOnce({
        ...this.options,
        log,
        signal,
        mayStart,
        onStatus,
        last: isEmbedded ? { ...last, foundBy: "embedded" } : last,
        knownPorts: discovery === "declared" ? [] : knownPorts,
        ownerOf,
        cli: () => this.cli(),
        isCliSet: cliPath !== undefined,
        timing: this.#timing,
        startTimeoutMs,
      });
    } catch (thrown) {
      search = { found: null, attempts: [], error: toFoundryError(thrown) };
    } finally {
      this.#running = null;
    }
    if (signal.aborted) throw closedError();
    const endedAt = this.#timing.now();
    const ms = Math.round(endedAt - begin);
    const { found, attempts } = search;
    log?.info({ found, attempts, ms }, "searched for Foundry Local");
    const ended = { ...search, ms, mayStart, endedAt };
    this.lastSearch = ended;
    if (search.start === "failed") this.#startFailure = search.error;
    if (found !== null) {
      this.#last = { ...found, foundBy: found.foundBy === "guess" ? "guess" : "last_url" };
      this.#startFailure = null;
    }
    return ended;
  }
}

const inFlight = ({ search: { latest } }: Running): FoundryError =>
  new FoundryError(
    "NO_ENDPOINT",
    `Foundry Local is not up yet. Under way: ${latest?.message ?? "looking for it"}.`,
    { action: "Ask again in a moment.", retryable: true },
  );

/** Waits for a search in flight. Its result is an error when it takes longer than `withinMs`. */
async function follow(
  running: Running,
  { signal, onStatus }: SearchOptions,
  withinMs: number | undefined,
): Promise<Search> {
  const leaving = new AbortController();
  const end = joinedSignal(leaving.signal, signal);
  try {
    const waiting = running.search.wait({ signal: end.signal, onUpdate: onStatus });
    const search = await waitFor(waiting, { withinMs, ref: false });
    if (search !== TIMED_OUT) return search;
    return { found: null, attempts: [], error: inFlight(running) };
  } finally {
    leaving.abort();
    end.dispose();
  }
}
