import { toFoundryError, untilAborted } from "../../lib/index.js";
import type { Logger } from "../../log.js";
import { isProcessAlive, type ListenerOwner, type Machine } from "../../platform/index.js";
import type { FoundryCli } from "../cli/index.js";
import { candidatesOf } from "./candidate.js";
import { inCode, withoutStop } from "./command-text.js";
import { readDaemonFile } from "./daemon-file.js";
import { type Found, type FoundBy, NOTHING_THERE, type Trial } from "./found.js";
import { type Probed, Probes } from "./probe.js";
import type { Timing } from "./timing.js";

/** Where to look, and how. */
export interface Where {
  readonly machine: Machine;
  /** Where it was last, and how it was found there. */
  readonly last: Found | null;
  readonly knownPorts: readonly number[];
  /** Whose program listens on a port of this machine. */
  readonly ownerOf: (port: number, signal: AbortSignal) => Promise<ListenerOwner>;
  readonly cli: () => Promise<FoundryCli | null>;
  readonly timing: Timing;
  readonly signal: AbortSignal;
  readonly log: Logger | undefined;
}

/** What the command line said about the service, and what is true of it. */
export type CliState =
  | { readonly kind: "missing" }
  | { readonly kind: "stopped" }
  /** It says that it runs, but nothing listens where it says. Certain enough for a restart. */
  | { readonly kind: "dead" }
  /** It runs, and does not answer as a Foundry Local. */
  | { readonly kind: "silent" }
  | { readonly kind: "answers" }
  /** There is no such program, or the system does not run it. */
  | { readonly kind: "unstartable" }
  /** It gave no usable answer. */
  | { readonly kind: "failed" };

export interface ScanResult {
  readonly found: Found | null;
  readonly trials: readonly Trial[];
  readonly cli: FoundryCli | null;
  readonly cliState: CliState;
}

/**
 * Looks where a service may be, starting none. The order decides who is believed, though questions
 * are asked at the same time (docs/foundry-local.md, section 12).
 */
export async function look(where: Where): Promise<ScanResult> {
  const { timing } = where;
  const over = new AbortController();
  const tooLong = AbortSignal.timeout(timing.lookMs);
  const signal = AbortSignal.any([where.signal, tooLong, over.signal]);
  const looking = new Looking(where, signal);
  try {
    const last = looking.lastUrl();
    const moment = () => timing.pause(timing.momentMs, signal).then(nothing, nothing);
    const atOnce = await Promise.race([last, moment()]);
    if (atOnce !== null) return looking.sight(atOnce);

    const cli = looking.commandLine();
    const daemonFile = looking.daemonFile();
    const cliTakesLong = moment();
    // They are guesses, so they are left alone where somebody knows better.
    const ports = Promise.race([cli, cliTakesLong]).then((found) =>
      found === null ? looking.knownPorts() : null,
    );
    const notWaiting = Promise.all([daemonFile, cliTakesLong]).then(([found]) =>
      found !== null && looking.isDaemonAlive ? found : cli,
    );
    const found =
      (await last) ??
      (await Promise.race([cli, notWaiting])) ??
      (await daemonFile) ??
      (await ports);
    return looking.sight(found);
  } finally {
    over.abort();
  }
}

const nothing = (): null => null;

/** A place that is looked at, with what was tried there. */
interface Place {
  what: string;
  readonly trials: Trial[];
  isDone: boolean;
}

class Looking {
  readonly #where: Where;
  readonly #signal: AbortSignal;
  readonly #probes: Probes;
  readonly #places: Place[] = [];
  #cli: FoundryCli | null = null;
  #cliState: CliState = { kind: "missing" };
  /** Whether the process that the daemon's file names is there. */
  isDaemonAlive = false;

  constructor(where: Where, signal: AbortSignal) {
    this.#where = where;
    this.#signal = signal;
    this.#probes = new Probes(signal, where.log);
  }

  sight(found: Found | null): ScanResult {
    const trials = this.#places.flatMap(({ what, trials: ofPlace, isDone }) =>
      isDone ? ofPlace : [...ofPlace, { what, outcome: "had not answered by then", ok: false }],
    );
    return { found, trials, cli: this.#cli, cliState: this.#cliState };
  }

  async lastUrl(): Promise<Found | null> {
    const { last } = this.#where;
    if (last === null) return null;
    return this.#at(`${last.endpoint} (used before)`, async (place) => {
      const probed = await this.#probe(last.endpoint);
      const owner = isGood(probed) ? await this.#ownerOf(last) : "own";
      if (owner === "other") {
        note(place, OF_ANOTHER_USER, null);
        return null;
      }
      note(place, probed.outcome, probed);
      if (!isGood(probed)) return null;
      return last.foundBy === "guess" && owner === "own" ? { ...last, foundBy: "last_url" } : last;
    });
  }

  async commandLine(): Promise<Found | null> {
    return this.#at("`foundry`", async (place) => {
      const cli = await untilAborted(this.#where.cli(), this.#signal);
      this.#cli = cli;
      if (cli === null) {
        note(place, NOTHING_THERE.commandLine, null);
        return null;
      }
      this.#cliState = { kind: "failed" };
      place.what = inCode(cli.statusCommand);
      const asked = cli.status({ signal: this.#signal, timeoutMs: this.#where.timing.cliMs });
      const report = await untilAborted(asked, this.#signal);
      // Only now it may be known.
      place.what = inCode(cli.statusCommand);
      const foundBy = cli.generation === "service" ? "service_status" : "server_status";
      if (report.kind === "failed") {
        if (report.isStartable === false) this.#cliState = { kind: "unstartable" };
        note(place, report.what, null);
        return null;
      }
      const isRunning = report.kind === "running";
      const says = isRunning ? "says that it runs" : "says that it is not running";
      const { urls, fault } = candidatesOf(report.urls);
      if (isRunning && fault !== null) note(place, `${says}, but ${fault}`, null);
      if (urls.length === 0) {
        this.#cliState = { kind: !isRunning ? "stopped" : fault === null ? "silent" : "failed" };
        if (!isRunning) note(place, says, null);
        else if (fault === null) note(place, `${says}, but not where`, null);
        return null;
      }
      const probed = await this.#probeAll(urls);
      const good = probed.find(({ is }) => is === "foundry");
      if (good === undefined && !isRunning) {
        this.#cliState = { kind: "stopped" };
        note(place, says, null);
        return null;
      }
      for (const each of probed) {
        const where = isRunning ? ` at ${each.url}` : `, but still names ${each.url}`;
        note(place, `${says}${where}${joined(each)}`, each);
      }
      if (good === undefined) {
        const isDead = fault === null && probed.every(({ is }) => is === "nothing");
        this.#cliState = { kind: isDead ? "dead" : "silent" };
        return null;
      }
      this.#cliState = { kind: "answers" };
      return { endpoint: good.url, foundBy };
    });
  }

  async daemonFile(): Promise<Found | null> {
    return this.#at("daemon.json", async (place) => {
      const file = await readDaemonFile(this.#where.machine);
      if (typeof file === "string") {
        note(place, file, null);
        return null;
      }
      if (file.pid !== null && !isProcessAlive(file.pid)) {
        note(place, "is stale: the process that it names has ended", null);
        return null;
      }
      this.isDaemonAlive = file.pid !== null;
      const { urls, fault } = candidatesOf(file.urls);
      if (fault !== null) note(place, fault, null);
      const probed = await this.#probeAll(urls);
      const daemon = file.version === null ? "names" : `of daemon ${file.version} names`;
      for (const each of probed) note(place, `${daemon} ${each.url}${joined(each)}`, each);
      return firstGood(probed, "daemon_file");
    });
  }

  async knownPorts(): Promise<Found | null> {
    const { knownPorts, timing } = this.#where;
    if (knownPorts.length === 0 || this.#signal.aborted) return null;
    const name = knownPorts.length === 1 ? "the known port" : "the known ports";
    return this.#at(`${name} ${knownPorts.join(", ")}`, async (place) => {
      const urls = knownPorts.map((port) => `http://127.0.0.1:${port}`);
      const probed = await this.#probeAll(urls, timing.portMs);
      const answering = probed.filter(({ is }) => is !== "nothing" && is !== "unreached");
      const owners = new Map<string, ListenerOwner | null>();
      if (answering.length === 0) note(place, NOTHING_THERE.ports, null);
      for (const each of answering) {
        const { url, outcome } = each;
        const isLeftOver = each.dialect === "S" && this.#cli?.generation === "server";
        const whose = isLeftOver
          ? ": left over from the old command line, or an editor extension's"
          : "";
        const owner = isGood(each) ? await this.#ownerOf({ endpoint: url }) : null;
        owners.set(url, owner);
        const ok = owner === "own" || owner === "unknown";
        const guess = owner === "unknown" ? ", and the system does not show whose it is" : "";
        const said = owner === "other" ? OF_ANOTHER_USER : outcome + whose + guess;
        place.trials.push({ what: url, outcome: said, ok });
      }
      const urlOf = (wanted: ListenerOwner) =>
        answering.find(({ url }) => owners.get(url) === wanted)?.url;
      const own = urlOf("own");
      if (own !== undefined) return { endpoint: own, foundBy: "known_port" };
      const guessed = urlOf("unknown");
      return guessed === undefined ? null : { endpoint: guessed, foundBy: "guess" };
    });
  }

  /** What was started by us, or a person set, is asked for no owner. */
  async #ownerOf({ endpoint, foundBy }: Partial<Found>): Promise<ListenerOwner> {
    if (endpoint === undefined || foundBy === "embedded") return "own";
    const { port, protocol } = new URL(endpoint);
    const number = Number(port || (protocol === "https:" ? 443 : 80));
    return untilAborted(this.#where.ownerOf(number, this.#signal), this.#signal);
  }

  /** Looks at one place. What goes wrong there is what came of it. */
  async #at(what: string, visit: (place: Place) => Promise<Found | null>): Promise<Found | null> {
    const place: Place = { what, trials: [], isDone: false };
    this.#places.push(place);
    try {
      return await visit(place);
    } catch (thrown) {
      const { code, message } = toFoundryError(thrown);
      const outcome =
        code === "CANCELLED" ? "had not answered by then" : `failed: ${withoutStop(message)}`;
      note(place, outcome, null);
      return null;
    } finally {
      place.isDone = true;
    }
  }

  #probe(url: string): Promise<Probed> {
    return this.#probes.of(url, this.#where.timing.probeMs);
  }

  async #probeAll(
    urls: readonly string[],
    wholeMs = this.#where.timing.probeMs,
  ): Promise<ProbedUrl[]> {
    const probeOne = async (url: string) => ({ url, ...(await this.#probes.of(url, wholeMs)) });
    return Promise.all(urls.map(probeOne));
  }
}

interface ProbedUrl extends Probed {
  readonly url: string;
}

/** It would be sent prompts, and could answer them as it likes. */
const OF_ANOTHER_USER = "what listens there is another user's, so it is not used";

const isGood = ({ is }: Probed): boolean => is === "foundry";

function firstGood(probed: readonly ProbedUrl[], foundBy: FoundBy): Found | null {
  const good = probed.find(isGood);
  return good === undefined ? null : { endpoint: good.url, foundBy };
}

function note(place: Place, outcome: string, probed: Probed | null): void {
  place.trials.push({ what: place.what, outcome, ok: probed !== null && isGood(probed) });
}

const joined = (probed: Probed): string => `, ${isGood(probed) ? "and" : "but"} ${probed.outcome}`;
