import { deferred, formatDuration, toFoundryError } from "../../lib/index.js";
import { isProcessAlive, type Machine } from "../../platform/index.js";
import type { OnStatus } from "../calls.js";
import type { CliReport, FoundryCli, StartVerb } from "../cli/index.js";
import { type Attempt, type Found, inCode, withoutFullStop } from "./attempt.js";
import { readDaemonFile } from "./daemon-file.js";
import type { Situation } from "./no-endpoint.js";
import {
  candidatesOf,
  isFoundryLocal,
  isNothing,
  type Probed,
  probe,
  withoutOthers,
} from "./probe.js";
import type { ScanContext } from "./scan.js";

interface StartContext
  extends Pick<ScanContext, "machine" | "ownerOf" | "timing" | "signal" | "log"> {
  readonly cli: FoundryCli;
  /** From the command to the first good probe, in milliseconds. */
  readonly startTimeoutMs: number;
  readonly onStatus: OnStatus;
}

export type Started =
  | { readonly found: Found; readonly attempts: readonly Attempt[] }
  | { readonly found: null; readonly attempts: readonly Attempt[]; readonly situation: Situation };

/** The command's timeout is this much longer than ours, so that our timeout wins. */
const COMMAND_EXTRA_MS = 1_000;

/**
 * Restarts a service that reports that it runs while nothing listens. It may be starting, so it is
 * polled for a moment first.
 */
export async function revive(context: StartContext): Promise<Started> {
  const { cli, timing, signal } = context;
  const startup = await waitUntilUp(context, timing.deadMs, null);
  const what = inCode(cli.command("status"));
  const upAt = (endpoint: string, says: string): Started => {
    const foundBy = cli.generation === "service" ? "service_status" : "server_status";
    const outcome = `a moment later ${says} at ${endpoint}`;
    return { found: { endpoint, foundBy }, attempts: [{ what, outcome, ok: true }] };
  };
  if (startup.state === "up") return upAt(startup.endpoint, startup.outcome);
  // It may listen by now and answer slowly. A restart would end its current work.
  const probed = await probeAll(startup.urls, context, signal);
  const good = probed.find(isFoundryLocal);
  if (good !== undefined) return upAt(good.url, outcomeOf(good));
  const listening = probed.find((each) => !isNothing(each));
  if (listening !== undefined) {
    const attempt = { what, outcome: `a moment later ${listening.outcome}`, ok: false };
    return { found: null, attempts: [attempt], situation: { kind: "start_late", cli } };
  }
  return bringUp(context, "restart");
}

/** Starts or restarts the service, and waits until it answers. */
export async function bringUp(context: StartContext, verb: StartVerb): Promise<Started> {
  const { cli, startTimeoutMs: limitMs, onStatus, log } = context;
  const command = cli.command(verb);
  const what = inCode(command);
  const begins = verb === "start" ? "Starting" : "Restarting";
  onStatus({ step: "starting", message: `${begins} Foundry Local with ${what}`, percent: null });
  log?.info({ command }, "starting Foundry Local");
  // Aborted when nothing waits for the command any more, so that it does not keep our process alive.
  const abandoned = new AbortController();
  const signal = AbortSignal.any([context.signal, abandoned.signal]);
  const running = cli[verb]({ timeoutMs: limitMs + COMMAND_EXTRA_MS, signal });
  const startup = await waitUntilUp(context, limitMs, running).finally(() => abandoned.abort());
  if (startup.state === "up") {
    const { endpoint } = startup;
    const outcome = `was run, and ${startup.outcome} at ${endpoint}`;
    const found = { endpoint, foundBy: "started" } as const;
    return { found, attempts: [{ what, outcome, ok: true }] };
  }
  const outcome =
    startup.state === "failed"
      ? startup.reason
      : `no service answered within ${formatDuration(limitMs)}`;
  log?.warn({ command, outcome }, "Foundry Local did not start");
  const attempt = { what, outcome: `was run, but ${outcome}`, ok: false };
  return { found: null, attempts: [attempt], situation: situationAfter(verb, startup.state, cli) };
}

/** Why the service is not up after a command. */
function situationAfter(
  verb: StartVerb,
  state: Exclude<Startup["state"], "up">,
  cli: FoundryCli,
): Situation {
  if (state === "failed") return { kind: "start_failed", cli, verb };
  // After a restart, another restart is not advised.
  const isDead = state === "dead" && verb === "start";
  return isDead ? { kind: "dead_listener", cli, willStart: true } : { kind: "start_late", cli };
}

/**
 * What a wait for a service came to. `failed`: the command failed. `late`: it is not up in time, so waiting can
 * help. `dead`: it reports that it runs, and nothing listens at its address. `urls`: its last reported addresses.
 */
type Startup =
  | { readonly state: "up"; readonly endpoint: string; readonly outcome: string }
  | { readonly state: "failed"; readonly urls: readonly string[]; readonly reason: string }
  | { readonly state: "dead" | "late"; readonly urls: readonly string[] };

/**
 * Polls until a probe is good. Right after the start it is normal that the status is "not running"
 * and that nothing listens at the port (#13, #286, #337, #496). The service may answer while the
 * command still runs.
 *
 * @param command Its process is never ended by us: what it starts belongs to the user.
 */
async function waitUntilUp(
  context: StartContext,
  limitMs: number,
  command: Promise<CliReport> | null,
): Promise<Startup> {
  const { machine, timing } = context;
  const over = new AbortController();
  const late = new AbortController();
  const signal = AbortSignal.any([context.signal, late.signal, over.signal]);
  const reports = new StartupReports(context, command, signal);
  // Before the first report nothing is known of a service that was not started here.
  const enough = command === null ? reports.firstStatus : null;
  Promise.all([timing.pause(limitMs, over.signal), enough]).then(
    () => late.abort(),
    () => {},
  );
  const addresses = async () =>
    candidatesOf([...reports.urls, ...(await urlsInDaemonFile(machine))]).urls;
  let urls: readonly string[] = [];
  let isDead = false;
  try {
    while (!signal.aborted && !reports.isHopeless) {
      reports.refreshStatus();
      await timing.pause(timing.pollMs, signal).catch(() => {});
      urls = await addresses();
      const probed = await probeAll(urls, context, signal).catch(() => []);
      const good = probed.find(isFoundryLocal);
      if (good !== undefined) {
        return { state: "up", endpoint: good.url, outcome: outcomeOf(good) };
      }
      // The results of probes that were cut off by the time limit prove nothing.
      if (!signal.aborted) isDead = probed.length > 0 && probed.every(isNothing);
    }
    const reason = reports.failure;
    if (reason !== null) return { state: "failed", urls, reason };
    return { state: isDead ? "dead" : "late", urls: urls.length > 0 ? urls : await addresses() };
  } finally {
    over.abort();
  }
}

/**
 * Where the start failed, because its port is taken, the addresses are those of an earlier run.
 *
 * @throws FoundryError `CANCELLED` when the signal is aborted while the owner of a service is asked for.
 */
async function probeAll(
  urls: readonly string[],
  { ownerOf, timing, log }: StartContext,
  signal: AbortSignal,
): Promise<Probed[]> {
  const limits = { wholeMs: timing.probeMs, signal, log };
  const probed = await Promise.all(urls.map((url) => probe(url, limits)));
  return withoutOthers(probed, { ownerOf, signal });
}

const outcomeOf = ({ outcome }: Probed): string => outcome.replace(/ there$/, "");

/** The reports of the start command and of the status about a service that is starting. */
class StartupReports {
  readonly #context: StartContext;
  readonly #signal: AbortSignal;
  #commandUrls: readonly string[] = [];
  #statusUrls: readonly string[] = [];
  #commandEndedAt: number | null = null;
  #commandFailure: string | null = null;
  /** Since when the status has been "not running"; `null` while it is not. */
  #stoppedAt: number | null = null;
  #isStatusPending = false;
  readonly #firstStatus = deferred();
  /** Resolves when the status has been reported once, or could not be. */
  readonly firstStatus = this.#firstStatus.promise;

  constructor(context: StartContext, command: Promise<CliReport> | null, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
    command?.then(
      (report) => this.#takeCommand(report),
      (thrown: unknown) => {
        const what = `failed: ${withoutFullStop(toFoundryError(thrown).message)}`;
        this.#takeCommand({ kind: "failed", what });
      },
    );
  }

  /** The addresses where the service may be. */
  get urls(): readonly string[] {
    return [...this.#commandUrls, ...this.#statusUrls];
  }

  /** Why the service does not run, as a clause; `null` where it may still come up. */
  get failure(): string | null {
    if (this.#commandFailure !== null) return this.#commandFailure;
    // The command succeeded and the service ended afterwards, because its port is in use, say (#146).
    const hasStopped = this.#commandEndedAt !== null && this.#stoppedAt !== null;
    return hasStopped ? "it is reported as not running afterwards" : null;
  }

  /** Whether the service has been reported as failed for so long that polling can end. */
  get isHopeless(): boolean {
    const { timing } = this.#context;
    const endedAt = this.#commandEndedAt;
    if (endedAt === null) return false;
    const now = timing.now();
    if (this.#commandFailure !== null && now - endedAt > timing.afterFailureMs) return true;
    return this.#stoppedAt !== null && now - Math.max(endedAt, this.#stoppedAt) > timing.stoppedMs;
  }

  /** Asks for the status, unless the previous question is still in flight. */
  refreshStatus(): void {
    if (this.#isStatusPending) return;
    this.#isStatusPending = true;
    const { cli, timing, log } = this.#context;
    cli
      .status({ signal: this.#signal, timeoutMs: timing.cliMs })
      .then(
        (report) => this.#takeStatus(report),
        (thrown: unknown) => log?.debug({ error: toFoundryError(thrown).message }, "no status"),
      )
      .finally(() => {
        this.#isStatusPending = false;
        this.#firstStatus.resolve();
      });
  }

  #takeCommand(report: CliReport): void {
    this.#commandEndedAt = this.#context.timing.now();
    if (report.kind === "failed") this.#commandFailure = report.what;
    else this.#commandUrls = report.urls;
  }

  #takeStatus(report: CliReport): void {
    if (report.kind === "stopped") this.#stoppedAt ??= this.#context.timing.now();
    else this.#stoppedAt = null;
    if (report.kind !== "failed") this.#statusUrls = report.urls;
  }
}

async function urlsInDaemonFile(machine: Machine): Promise<readonly string[]> {
  const file = await readDaemonFile(machine);
  if (typeof file === "string" || file.pid === null || !isProcessAlive(file.pid)) return [];
  return file.urls;
}
