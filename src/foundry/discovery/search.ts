import { FoundryError, toFoundryError } from "../../lib/index.js";
import type { FoundryCli } from "../cli/index.js";
import type { EmbeddedService } from "../embedded/index.js";
import type { OnStatus } from "../status.js";
import { withoutStop } from "./command-text.js";
import { type Found, NOTHING_THERE, type Search, type Trial } from "./found.js";
import { noEndpointError, type Situation } from "./no-endpoint.js";
import { probe } from "./probe.js";
import { look, type ScanResult, type Where } from "./scan.js";
import { revive, type Started, start } from "./start.js";

export interface SearchContext extends Where {
  readonly autostart: boolean;
  /** Whether the path of the command line was set by the user. */
  readonly isCliSet: boolean;
  readonly embedded: boolean | "auto";
  readonly embeddedService: EmbeddedService;
  readonly startTimeoutMs: number;
  readonly mayStart: boolean;
  readonly tell: OnStatus;
}

/** One search: looks, and starts what may be started where there is nothing. */
export async function searchOnce(context: SearchContext): Promise<Search> {
  if (context.embedded === true) return onlyEmbedded(context);
  const sight = await look(context);
  if (sight.found !== null) return success(sight.found, sight.trials);
  // What was not seen because the client was closed is not to be started now.
  context.signal.throwIfAborted();
  const { started, situation } = await startOwn(context, sight);
  const trials = started === null ? sight.trials : [...sight.trials, started.trial];
  if (started !== null && started.found !== null) return success(started.found, trials);
  context.signal.throwIfAborted();
  return lastResort(context, situation, trials);
}

interface AfterStart {
  /** `null` where there was nothing to start, or it may not be started. */
  readonly started: Started | null;
  readonly situation: Situation;
}

/** Starts the service of this machine, where it is known that it does not run. */
async function startOwn(context: SearchContext, sight: ScanResult): Promise<AfterStart> {
  const { cli, cliState } = sight;
  if (cli === null) return { started: null, situation: { kind: "no_cli" } };
  const { autostart, mayStart, startTimeoutMs: limitMs } = context;
  switch (cliState.kind) {
    case "stopped": {
      if (!autostart || !mayStart) {
        return { started: null, situation: { kind: "not_running", cli, willStart: autostart } };
      }
      const started = await start({ ...context, cli, limitMs });
      return { started, situation: afterStart(started, cli) };
    }
    case "dead": {
      if (!autostart || !mayStart) {
        return { started: null, situation: { kind: "dead_listener", cli, willRestart: autostart } };
      }
      const started = await revive({ ...context, cli, limitMs });
      return { started, situation: afterRestart(started, cli) };
    }
    case "silent":
      return { started: null, situation: { kind: "silent", cli } };
    case "unstartable":
      return { started: null, situation: { kind: "cli_unstartable" } };
    default:
      return { started: null, situation: { kind: "cli_failed", cli } };
  }
}

function afterStart(started: Started, cli: FoundryCli): Situation {
  if (started.trouble === "failed") {
    return { kind: "start_failed", cli, command: cli.startCommand };
  }
  return started.trouble === "dead"
    ? { kind: "dead_listener", cli, willRestart: true }
    : { kind: "start_late", cli };
}

/** It was just restarted, so to advise that would not help. */
const afterRestart = (started: Started, cli: FoundryCli): Situation =>
  started.trouble === "failed"
    ? { kind: "start_failed", cli, command: cli.restartCommand }
    : { kind: "start_late", cli };

/** The service in a process of ours, where nothing else is there. */
async function lastResort(
  context: SearchContext,
  situation: Situation,
  trials: readonly Trial[],
): Promise<Search> {
  const { embedded, embeddedService, mayStart } = context;
  if (embedded === false) return failure(context, situation, trials);
  const isInstalled = await embeddedService.isInstalled();
  if (mayStart && isInstalled) return startEmbedded(context, trials);
  const willStartOther =
    (situation.kind === "not_running" && situation.willStart) ||
    (situation.kind === "dead_listener" && situation.willRestart);
  const isNext = isInstalled && !willStartOther;
  const why: Situation = isNext ? { kind: "embedded_later" } : situation;
  return failure(context, why, [...trials, isInstalled ? SDK_THERE : SDK_MISSING]);
}

/** The service in a process of ours, in place of all others. */
async function onlyEmbedded(context: SearchContext): Promise<Search> {
  const { embeddedService, mayStart, timing, signal, log } = context;
  const { endpoint } = embeddedService;
  const trials: Trial[] = [];
  if (endpoint !== null) {
    const { is, outcome } = await probe(endpoint, { wholeMs: timing.probeMs, signal, log });
    trials.push({ what: endpoint, outcome, ok: is === "foundry" });
    if (is === "foundry") return success({ endpoint, foundBy: "embedded" }, trials);
  }
  if (!(await embeddedService.isInstalled())) {
    return failure(context, { kind: "embedded_missing" }, [...trials, SDK_MISSING]);
  }
  if (mayStart) return startEmbedded(context, trials);
  return failure(context, { kind: "embedded_later" }, [...trials, SDK_THERE]);
}

const SDK = "foundry-local-sdk";
const SDK_MISSING: Trial = { what: SDK, outcome: NOTHING_THERE.sdk, ok: false };
const SDK_THERE: Trial = {
  what: SDK,
  outcome: "is installed beside this server, and not running",
  ok: false,
};

async function startEmbedded(context: SearchContext, trials: readonly Trial[]): Promise<Search> {
  const { embeddedService, tell, timing, signal, log } = context;
  const message = `Starting Foundry Local in this server, with ${SDK}`;
  tell({ step: "starting", message, percent: null });
  try {
    const { endpoint } = await embeddedService.start(signal);
    const { is, outcome } = await probe(endpoint, { wholeMs: timing.probeMs, signal, log });
    if (is !== "foundry") throw unanswered(outcome);
    const trial = { what: SDK, outcome: `was started at ${endpoint}, and ${outcome}`, ok: true };
    return success({ endpoint, foundBy: "embedded" }, [...trials, trial]);
  } catch (thrown) {
    const error = toFoundryError(thrown);
    const trial = {
      what: SDK,
      outcome: `could not be run: ${withoutStop(error.message)}`,
      ok: false,
    };
    return failure(context, { kind: "embedded_failed", error }, [...trials, trial]);
  }
}

const unanswered = (outcome: string): FoundryError =>
  new FoundryError("SERVICE_UNREACHABLE", `it started, but ${outcome}.`, {
    action: "Try again in a moment, or install Foundry Local's command line.",
    retryable: true,
  });

const success = (found: Found, trials: readonly Trial[]): Search => ({
  found,
  trials,
  error: null,
});

function failure(context: SearchContext, situation: Situation, trials: readonly Trial[]): Search {
  const facts = { mayEmbed: context.embedded !== false, isCliSet: context.isCliSet };
  const error = noEndpointError(situation, trials, context.machine, facts);
  const start = startIn(situation);
  return { found: null, trials, error, ...(start === null ? {} : { start }) };
}

function startIn(situation: Situation): "failed" | "next" | null {
  switch (situation.kind) {
    case "start_failed":
    case "start_late":
    case "embedded_failed":
      return "failed";
    case "not_running":
      return situation.willStart ? "next" : null;
    case "dead_listener":
      return situation.willRestart ? "next" : null;
    case "embedded_later":
      return "next";
    default:
      return null;
  }
}
