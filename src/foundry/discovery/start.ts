import { formatDuration, toFoundryError } from "../../lib/index.js";
import type { Logger } from "../../log.js";
import { isProcessAlive, type Machine } from "../../platform/index.js";
import type { CliReport, FoundryCli } from "../cli/index.js";
import type { OnStatus } from "../status.js";
import { candidatesOf } from "./candidate.js";
import { inCode, withoutStop } from "./command-text.js";
import { readDaemonFile } from "./daemon-file.js";
import type { Found, Trial } from "./found.js";
import { probe } from "./probe.js";
import type { Timing } from "./timing.js";

export interface StartContext {
  readonly machine: Machine;
  readonly cli: FoundryCli;
  /** From the command to the first good probe, in milliseconds. */
  readonly limitMs: number;
  readonly timing: Timing;
  readonly tell: OnStatus;
  readonly signal: AbortSignal;
  readonly log: Logger | undefined;
}

export interface Started {
  readonly found: Found | null;
  readonly trial: Trial;
  /**
   * Why there is nothing: the command failed; it is not up in time, so that waiting can help; or it
   * says that it runs, and nothing listens where it says.
   */
  readonly trouble: "failed" | "late" | "dead" | null;
}

/** So much later than the wait for it ends the command: a passed limit is not its failure. */
const LATER_MS = 1_000;

/** Starts the service, and waits until it answers. */
export async function start(context: StartContext): Promise<Started> {
  const { cli, limitMs } = context;
  // Without flags: with a port or an idle limit, some models go missing (#1065).
  const command = (signal: AbortSignal) => cli.start({ timeoutMs: limitMs + LATER_MS, signal });
  return bringUp(context, "Starting", cli.startCommand, command);
}

/**
 * Revives a service that says it runs, while nothing listens. It may just be coming up, so that it is
 * given a moment before it is restarted, once.
 */
export async function revive(context: StartContext): Promise<Started> {
  const { cli, limitMs, timing, signal, log } = context;
  const late = await waitUntilUp(context, timing.deadMs, null);
  const what = inCode(cli.statusCommand);
  if (late.endpoint !== null) {
    const foundBy = cli.generation === "service" ? "service_status" : "server_status";
    const outcome = `a moment later ${late.outcome} at ${late.endpoint}`;
    return {
      found: { endpoint: late.endpoint, foundBy },
      trial: { what, outcome, ok: true },
      trouble: null,
    };
  }
  // It may listen by now and be slow to answer: then a restart would end what it is at.
  const probing = late.urls.map((url) => probe(url, { wholeMs: timing.probeMs, signal, log }));
  const answering = (await Promise.all(probing)).find(({ is }) => is !== "nothing");
  if (answering !== undefined) {
    const outcome = `a moment later ${answering.outcome}`;
    return { found: null, trial: { what, outcome, ok: false }, trouble: "late" };
  }
  const command = (signal: AbortSignal) => cli.restart({ timeoutMs: limitMs + LATER_MS, signal });
  return bringUp(context, "Restarting", cli.restartCommand, command);
}

async function bringUp(
  context: StartContext,
  verb: "Starting" | "Restarting",
  commandText: string,
  command: (signal: AbortSignal) => Promise<CliReport>,
): Promise<Started> {
  const { limitMs, tell, log } = context;
  const what = inCode(commandText);
  tell({ step: "starting", message: `${verb} Foundry Local with ${what}`, percent: null });
  log?.info({ command: commandText }, "starting Foundry Local");
  // Left when nobody waits for it any more, so that a script that has done its work can end.
  const left = new AbortController();
  const running = command(AbortSignal.any([context.signal, left.signal]));
  const up = await waitUntilUp(context, limitMs, running).finally(() => left.abort());
  if (up.endpoint !== null) {
    const trial = { what, outcome: `was run, and ${up.outcome} at ${up.endpoint}`, ok: true };
    const found: Found = { endpoint: up.endpoint, foundBy: "started" };
    return { found, trial, trouble: null };
  }
  const isFailed = up.failure !== null || up.hasDied;
  const trouble = isFailed ? "failed" : up.isDead ? "dead" : "late";
  const late = `no service answered within ${formatDuration(limitMs)}`;
  const outcome = up.failure ?? (up.hasDied ? "it is said not to run afterwards" : late);
  log?.warn({ command: commandText, outcome }, "Foundry Local did not start");
  return { found: null, trial: { what, outcome: `was run, but ${outcome}`, ok: false }, trouble };
}

interface Up {
  readonly endpoint: string | null;
  /** Who answers there. */
  readonly outcome: string;
  /** Why the command failed, where it did. */
  readonly failure: string | null;
  /** Where it was last said to be. */
  readonly urls: readonly string[];
  /** Nothing listened there. */
  readonly isDead: boolean;
  /** The command has ended well, and still it is said not to run. */
  readonly hasDied: boolean;
}

/**
 * Asks until a probe is good. A status of "not running" right after the start is normal, as is a
 * port that does not listen yet (#13, #286, #337, #496); and the command may still run while the
 * service answers.
 *
 * @param command Never ended by us: what it starts belongs to the machine.
 */
async function waitUntilUp(
  context: StartContext,
  limitMs: number,
  command: Promise<CliReport> | null,
): Promise<Up> {
  const { cli, machine, timing, log } = context;
  const over = new AbortController();
  const tooLong = AbortSignal.timeout(limitMs);
  const signal = AbortSignal.any([context.signal, tooLong, over.signal]);
  let ofCommand: readonly string[] = [];
  let ofStatus: readonly string[] = [];
  let failure: string | null = null;
  let failedAt = Number.POSITIVE_INFINITY;
  let contentAt = timing.now();
  let isAsking = false;
  let isDead = false;
  let urls: readonly string[] = [];
  let hasEnded = false;
  let saysStopped = false;

  const fail = (what: string) => {
    failure = what;
    failedAt = timing.now();
  };
  command?.then(
    (report) => {
      hasEnded = true;
      contentAt = timing.now();
      if (report.kind === "failed") fail(report.what);
      else ofCommand = report.urls;
    },
    (thrown: unknown) => fail(`failed: ${withoutStop(toFoundryError(thrown).message)}`),
  );
  const askStatus = () => {
    isAsking = true;
    const asked = cli.status({ signal, timeoutMs: timing.cliMs });
    asked
      .then(
        (report) => {
          saysStopped = report.kind === "stopped";
          if (report.kind !== "failed") ofStatus = report.urls;
        },
        (thrown: unknown) => log?.debug({ error: toFoundryError(thrown).message }, "no status"),
      )
      .finally(() => {
        isAsking = false;
      });
  };

  try {
    while (!signal.aborted) {
      if (!isAsking) askStatus();
      await timing.pause(timing.pollMs, signal).catch(() => {});
      const told = [...ofCommand, ...ofStatus, ...(await ofDaemonFile(machine))];
      urls = candidatesOf(told).urls;
      const probing = urls.map(async (url) => {
        const probed = await probe(url, { wholeMs: timing.probeMs, signal, log });
        return { url, ...probed };
      });
      const probed = await Promise.all(probing);
      const good = probed.find(({ is }) => is === "foundry");
      if (good !== undefined) {
        const outcome = good.outcome.replace(/ there$/, "");
        return { endpoint: good.url, outcome, failure: null, urls, isDead: false, hasDied: false };
      }
      // What is cut short by the end of the time says nothing.
      if (!signal.aborted) isDead = probed.length > 0 && probed.every(({ is }) => is === "nothing");
      if (timing.now() - failedAt > timing.afterFailureMs) break;
      if (!saysStopped) contentAt = timing.now();
      if (hasEnded && saysStopped && timing.now() - contentAt > timing.stoppedMs) break;
    }
    // The command was content, and the service died on what it needs, its port for one (#146).
    const hasDied = failure === null && hasEnded && saysStopped;
    return { endpoint: null, outcome: "", failure, urls, isDead: isDead && !hasDied, hasDied };
  } finally {
    over.abort();
  }
}

async function ofDaemonFile(machine: Machine): Promise<readonly string[]> {
  const file = await readDaemonFile(machine);
  if (typeof file === "string" || file.pid === null || !isProcessAlive(file.pid)) return [];
  return file.urls;
}
