import { setTimeout } from "node:timers/promises";
import { toFoundryError, untilAborted } from "../../lib/index.js";
import type { Logger } from "../../log.js";
import { isProcessAlive, type ListenerOwner, type Machine } from "../../platform/index.js";
import type { FoundryCli, ServiceReport } from "../cli/index.js";
import { type Attempt, type Found, inCode, NOTHING_THERE, withoutFullStop } from "./attempt.js";
import { readDaemonFile } from "./daemon-file.js";
import {
  candidatesOf,
  isFoundryLocal,
  isNothing,
  OTHER_USER,
  type OwnerOf,
  ownerAt,
  type Probed,
  sharedProbe,
  withoutOthers,
} from "./probe.js";

/** The time limits of a search, in milliseconds, and its clock. Tests inject others. */
export const TIMING = {
  /** Probing one candidate, in all. A running service answers within a few milliseconds. */
  probeMs: 5_000,
  /** Probing one of the known ports, where most likely nothing listens. */
  portMs: 2_000,
  /** The command line's status. It was observed to take half a second to ten seconds. */
  cliMs: 9_000,
  /** After this, a good answer from a later source does not wait for an earlier source. */
  graceMs: 1_500,
  /** The whole scan, until something is started. */
  scanMs: 12_000,
  /** The interval between polls of a service that is starting. */
  pollMs: 500,
  /** How long a service that reports "running" may take until it listens. */
  deadMs: 3_000,
  /**
   * How long polling continues after the start command has failed: its output may have been
   * misread, or another program may have started the service.
   */
  afterFailureMs: 5_000,
  /**
   * How long the status may report "not running" after the start command has succeeded. Right after
   * the start that is normal (#13, #286).
   */
  stoppedMs: 15_000,
  /** How long a search that found nothing is the answer to further searches. */
  failureKeptMs: 1_000,
  /** A monotonic clock, in milliseconds. */
  now: (): number => performance.now(),
  /** Rejects when the signal is aborted. */
  pause: (ms: number, signal: AbortSignal): Promise<void> => setTimeout(ms, undefined, { signal }),
};

export type Timing = Readonly<typeof TIMING>;

export interface ScanContext {
  readonly machine: Machine;
  /** Where the service was last, and how it was found there. */
  readonly last: Found | null;
  readonly knownPorts: readonly number[];
  readonly ownerOf: OwnerOf;
  readonly cli: () => Promise<FoundryCli | null>;
  readonly timing: Timing;
  readonly signal: AbortSignal;
  readonly log: Logger | undefined;
}

/**
 * The state of the service by the command line's report and by probes. `stopped`, `starting`: reported so.
 * `dead`: reported as running, but certainly nothing listens there, which justifies a restart.
 * `silent`: it runs, and does not answer as a Foundry Local. `unstartable`: the command line cannot
 * be started. `failed`: the command line gave no usable answer.
 */
type CliState = "stopped" | "starting" | "dead" | "silent" | "unstartable" | "failed";

export interface ScanResult {
  readonly found: Found | null;
  readonly attempts: readonly Attempt[];
  readonly cli: FoundryCli | null;
  readonly cliState: CliState;
}

/**
 * Scans all locations where a service may be, without starting one. All are asked at the same time;
 * their order decides which answer counts (docs/foundry-local.md, section 12).
 */
export async function scan(context: ScanContext): Promise<ScanResult> {
  const { timing } = context;
  const over = new AbortController();
  const late = new AbortController();
  timing.pause(timing.scanMs, over.signal).then(() => late.abort(), nothing);
  const signal = AbortSignal.any([context.signal, late.signal, over.signal]);
  const locations = new Scan(context, signal);
  try {
    const last = locations.lastUrl();
    const grace = () => timing.pause(timing.graceMs, signal).then(nothing, nothing);
    const atOnce = await Promise.race([last, grace()]);
    if (atOnce !== null) return locations.result(atOnce);

    const cli = locations.commandLine();
    const daemonFile = locations.daemonFile();
    const slowCli = grace();
    // The known ports are guesses, so they are not probed when the command line finds the service.
    const ports = Promise.race([cli, slowCli]).then((found) =>
      found === null ? locations.knownPorts() : null,
    );
    const daemonBeforeSlowCli = Promise.all([daemonFile, slowCli]).then(([found]) =>
      found !== null && locations.isDaemonAlive ? found : cli,
    );
    const found =
      (await last) ??
      (await Promise.race([cli, daemonBeforeSlowCli])) ??
      (await daemonFile) ??
      (await ports);
    return locations.result(found);
  } finally {
    over.abort();
  }
}

const nothing = (): null => null;

interface Location {
  what: string;
  readonly attempts: Attempt[];
  isDone: boolean;
}

class Scan {
  readonly #context: ScanContext;
  readonly #signal: AbortSignal;
  readonly #probe: ReturnType<typeof sharedProbe>;
  readonly #locations: Location[] = [];
  #cli: FoundryCli | null = null;
  #cliState: CliState = "failed";
  /** Whether the process in the daemon's file exists. */
  isDaemonAlive = false;

  constructor(context: ScanContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    this.#probe = sharedProbe({ signal, log: context.log });
  }

  result(found: Found | null): ScanResult {
    const attempts = this.#locations.flatMap((location) =>
      location.isDone
        ? location.attempts
        : [...location.attempts, { what: location.what, outcome: NO_ANSWER, ok: false }],
    );
    return { found, attempts, cli: this.#cli, cliState: this.#cliState };
  }

  async lastUrl(): Promise<Found | null> {
    const { last } = this.#context;
    if (last === null) return null;
    return this.#at(`${last.endpoint} (used before)`, async (location) => {
      const probed = await this.#probe(last.endpoint, this.#context.timing.probeMs);
      if (!isFoundryLocal(probed)) return noneAt(location, probed.outcome);
      const owner = await this.#ownerOf(last);
      if (owner === "other") return noneAt(location, OTHER_USER);
      note(location, probed.outcome, true);
      return last.foundBy === "guess" && owner === "own" ? { ...last, foundBy: "last_url" } : last;
    });
  }

  async commandLine(): Promise<Found | null> {
    return this.#at("`foundry`", async (location) => {
      const cli = await untilAborted(this.#context.cli(), this.#signal);
      this.#cli = cli;
      if (cli === null) return noneAt(location, NOTHING_THERE.commandLine);
      location.what = inCode(cli.command("status"));
      const asked = cli.status({ signal: this.#signal, timeoutMs: this.#context.timing.cliMs });
      const report = await untilAborted(asked, this.#signal);
      // The answer shows the generation, which is part of the command.
      location.what = inCode(cli.command("status"));
      if (report.kind === "failed") {
        if (report.isStartable === false) this.#cliState = "unstartable";
        return noneAt(location, report.what);
      }
      const endpoint = await this.#verify(report, location);
      const foundBy = cli.generation === "service" ? "service_status" : "server_status";
      return endpoint === null ? null : { endpoint, foundBy };
    });
  }

  /** Probes the addresses that the command line reports. Returns the first that is good. */
  async #verify(
    { kind, urls: addresses }: ServiceReport,
    location: Location,
  ): Promise<string | null> {
    const isRunning = kind === "running";
    const says = SAYS[kind];
    const { urls, fault } = candidatesOf(addresses);
    if (isRunning && fault !== null) note(location, `${says}, but ${fault}`);
    const answers = await this.#probeAll(urls);
    const probed = isRunning ? answers : await this.#withoutOthers(answers);
    const good = probed.find(isFoundryLocal);
    if (good === undefined) {
      this.#cliState = kind === "running" ? stateWithoutAnswer(probed, fault) : kind;
      if (!isRunning) note(location, says);
      else if (urls.length === 0 && fault === null) note(location, `${says}, but not where`);
    }
    const isOfOther = probed.some(({ outcome }) => outcome === OTHER_USER);
    if (good !== undefined || isOfOther || isRunning) {
      for (const each of probed) {
        const where = isRunning ? ` at ${each.url}` : `, but still names ${each.url}`;
        note(location, `${says}${where}${clauseOf(each)}`, isFoundryLocal(each));
      }
    }
    return good?.url ?? null;
  }

  async daemonFile(): Promise<Found | null> {
    return this.#at("daemon.json", async (location) => {
      const file = await readDaemonFile(this.#context.machine);
      if (typeof file === "string") return noneAt(location, file);
      if (file.pid !== null && !isProcessAlive(file.pid)) {
        return noneAt(location, "is stale: the process that it names has ended");
      }
      this.isDaemonAlive = file.pid !== null;
      const { urls, fault } = candidatesOf(file.urls);
      if (fault !== null) note(location, fault);
      const probed = await this.#withoutOthers(await this.#probeAll(urls));
      const daemon = file.version === null ? "names" : `of daemon ${file.version} names`;
      for (const each of probed) {
        note(location, `${daemon} ${each.url}${clauseOf(each)}`, isFoundryLocal(each));
      }
      const good = probed.find(isFoundryLocal);
      return good === undefined ? null : { endpoint: good.url, foundBy: "daemon_file" };
    });
  }

  async knownPorts(): Promise<Found | null> {
    const { knownPorts, timing } = this.#context;
    if (knownPorts.length === 0 || this.#signal.aborted) return null;
    const name = knownPorts.length === 1 ? "the known port" : "the known ports";
    return this.#at(`${name} ${knownPorts.join(", ")}`, async (location) => {
      const urls = knownPorts.map((port) => `http://127.0.0.1:${port}`);
      const probed = await this.#probeAll(urls, timing.portMs);
      const answering = probed.filter(({ is }) => is !== "nothing" && is !== "unreached");
      if (answering.length === 0) note(location, NOTHING_THERE.ports);
      const found: Found[] = [];
      for (const each of answering) {
        const endpoint = each.url;
        const owner = isFoundryLocal(each) ? await this.#ownerOf({ endpoint }) : "other";
        if (owner !== "other") {
          found.push({ endpoint, foundBy: owner === "own" ? "known_port" : "guess" });
        }
        const outcome = this.#portOutcome(each, owner);
        location.attempts.push({ what: endpoint, outcome, ok: owner !== "other" });
      }
      return found.find(({ foundBy }) => foundBy === "known_port") ?? found[0] ?? null;
    });
  }

  #portOutcome(probed: Probed, owner: ListenerOwner): string {
    if (!isFoundryLocal(probed)) return probed.outcome;
    if (owner === "other") return OTHER_USER;
    const isLeftOver =
      probed.dialect?.can.isOldGeneration === true && this.#cli?.generation === "server";
    const origin = isLeftOver
      ? ": left over from the old command line, or an editor extension's"
      : "";
    const guess = owner === "unknown" ? ", and its owner is unknown" : "";
    return probed.outcome + origin + guess;
  }

  /** The owner of an endpoint's port; of a service in our own child process it is known. */
  async #ownerOf({ endpoint, foundBy }: Pick<Found, "endpoint"> & Partial<Found>) {
    if (foundBy === "embedded") return "own" as const;
    return ownerAt(endpoint, { ownerOf: this.#context.ownerOf, signal: this.#signal });
  }

  #withoutOthers(probed: readonly Probed[]): Promise<Probed[]> {
    return withoutOthers(probed, { ownerOf: this.#context.ownerOf, signal: this.#signal });
  }

  /** Scans one location. A failure there is its outcome. */
  async #at(
    what: string,
    visit: (location: Location) => Promise<Found | null>,
  ): Promise<Found | null> {
    const location: Location = { what, attempts: [], isDone: false };
    this.#locations.push(location);
    try {
      return await visit(location);
    } catch (thrown) {
      const { code, message } = toFoundryError(thrown);
      const outcome = code === "CANCELLED" ? NO_ANSWER : `failed: ${withoutFullStop(message)}`;
      return noneAt(location, outcome);
    } finally {
      location.isDone = true;
    }
  }

  #probeAll(urls: readonly string[], wholeMs = this.#context.timing.probeMs): Promise<Probed[]> {
    return Promise.all(urls.map((url) => this.#probe(url, wholeMs)));
  }
}

const NO_ANSWER = "had not answered by then";

const SAYS = {
  running: "says that it runs",
  starting: "says that it is starting",
  stopped: "says that it is not running",
} as const;

/** The state of a service that is reported as running and was not found by a probe. */
function stateWithoutAnswer(probed: readonly Probed[], fault: string | null): CliState {
  if (fault !== null) return probed.length === 0 ? "failed" : "silent";
  return probed.length > 0 && probed.every(isNothing) ? "dead" : "silent";
}

function note({ what, attempts }: Location, outcome: string, ok = false): void {
  attempts.push({ what, outcome, ok });
}

/** Notes why no service was found at a location. */
function noneAt(location: Location, outcome: string): null {
  note(location, outcome);
  return null;
}

const clauseOf = (probed: Probed): string =>
  `, ${isFoundryLocal(probed) ? "and" : "but"} ${probed.outcome}`;
