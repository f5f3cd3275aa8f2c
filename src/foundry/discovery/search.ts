import { FoundryError, toFoundryError } from "../../lib/index.js";
import type { OnStatus } from "../calls.js";
import { type EmbeddedService, SDK_NAME } from "../embedded/index.js";
import { type Attempt, type Found, NOTHING_THERE, withoutFullStop } from "./attempt.js";
import { noEndpointError, type Situation } from "./no-endpoint.js";
import { isFoundryLocal, probe } from "./probe.js";
import { type ScanContext, type ScanResult, scan } from "./scan.js";
import { bringUp, revive, type Started } from "./start.js";

export interface Search {
  readonly found: Found | null;
  readonly attempts: readonly Attempt[];
  /** The error to throw where nothing was found; `null` otherwise. */
  readonly error: FoundryError | null;
  /** Where nothing was found: the start `failed`, or the `next` call that needs the service starts it. */
  readonly start?: "failed" | "next";
}

interface SearchContext extends ScanContext {
  readonly autostart: boolean;
  /** Whether the path of the command line was set by the user. */
  readonly isCliSet: boolean;
  readonly embedded: boolean | "auto";
  readonly embeddedService: EmbeddedService;
  readonly startTimeoutMs: number;
  readonly mayStart: boolean;
  readonly onStatus: OnStatus;
}

/** One search: scans, and starts a service where none was found and the settings allow it. */
export async function searchOnce(context: SearchContext): Promise<Search> {
  if (context.embedded === true) return searchEmbedded(context);
  const scanned = await scan(context);
  if (scanned.found !== null) return success(scanned.found, scanned.attempts);
  // A scan that was cut off because the client was closed is no reason to start a service.
  context.signal.throwIfAborted();
  const started = await startInstalled(context, scanned);
  const attempts = [...scanned.attempts, ...started.attempts];
  if (started.found !== null) return success(started.found, attempts);
  context.signal.throwIfAborted();
  const { situation } = started;
  // No other service is needed beside one that is about to answer.
  if (situation.kind === "starting") return failure(context, situation, attempts);
  return orEmbedded(context, situation, attempts);
}

/** Starts the installed service of this machine, if it certainly does not run. */
async function startInstalled(
  context: SearchContext,
  { cli, cliState }: ScanResult,
): Promise<Started> {
  const { autostart, mayStart } = context;
  const notStarted = (situation: Situation): Started => ({ found: null, attempts: [], situation });
  if (cli === null) return notStarted({ kind: "no_cli" });
  const startsNow = autostart && mayStart;
  switch (cliState) {
    case "starting":
    case "stopped":
      if (startsNow) return bringUp({ ...context, cli }, "start");
      if (cliState === "starting") return notStarted({ kind: "starting", cli });
      return notStarted({ kind: "not_running", cli, willStart: autostart });
    case "dead":
      if (startsNow) return revive({ ...context, cli });
      return notStarted({ kind: "dead_listener", cli, willStart: autostart });
    case "silent":
      return notStarted({ kind: "silent", cli });
    case "unstartable":
      return notStarted({ kind: "cli_unstartable" });
    case "failed":
      return notStarted({ kind: "cli_failed", cli });
  }
}

/** The last resort: the service in our own child process. */
async function orEmbedded(
  context: SearchContext,
  situation: Situation,
  attempts: readonly Attempt[],
): Promise<Search> {
  const { embedded, embeddedService, mayStart } = context;
  if (embedded === false) return failure(context, situation, attempts);
  const isInstalled = await embeddedService.isInstalled();
  if (mayStart && isInstalled) return startEmbedded(context, attempts);
  const isNext = isInstalled && startOf(situation) !== "next";
  const reason: Situation = isNext ? { kind: "embedded_later" } : situation;
  return failure(context, reason, [...attempts, isInstalled ? SDK_INSTALLED : SDK_MISSING]);
}

/** The setting `embedded: true`: only the service in our own child process. */
async function searchEmbedded(context: SearchContext): Promise<Search> {
  const { embeddedService, timing, signal, log } = context;
  const { endpoint } = embeddedService;
  const attempts: Attempt[] = [];
  if (endpoint !== null) {
    const probed = await probe(endpoint, { wholeMs: timing.probeMs, signal, log });
    const ok = isFoundryLocal(probed);
    attempts.push({ what: endpoint, outcome: probed.outcome, ok });
    if (ok) return success({ endpoint, foundBy: "embedded" }, attempts);
  }
  return orEmbedded(context, { kind: "embedded_missing" }, attempts);
}

const SDK_MISSING: Attempt = { what: SDK_NAME, outcome: NOTHING_THERE.sdk, ok: false };
const SDK_INSTALLED: Attempt = {
  what: SDK_NAME,
  outcome: "is installed beside foundry-local-mcp, and not running",
  ok: false,
};

async function startEmbedded(
  context: SearchContext,
  attempts: readonly Attempt[],
): Promise<Search> {
  const { embeddedService, onStatus, timing, signal, log } = context;
  const message = `Starting Foundry Local in a child process, with ${SDK_NAME}`;
  onStatus({ step: "starting", message, percent: null });
  try {
    const { endpoint } = await embeddedService.start(signal);
    const probed = await probe(endpoint, { wholeMs: timing.probeMs, signal, log });
    if (!isFoundryLocal(probed)) throw unanswered(probed.outcome);
    const outcome = `was started at ${endpoint}, and ${probed.outcome}`;
    const attempt = { what: SDK_NAME, outcome, ok: true };
    return success({ endpoint, foundBy: "embedded" }, [...attempts, attempt]);
  } catch (thrown) {
    const error = toFoundryError(thrown);
    const outcome = `could not be run: ${withoutFullStop(error.message)}`;
    const attempt = { what: SDK_NAME, outcome, ok: false };
    return failure(context, { kind: "embedded_failed", error }, [...attempts, attempt]);
  }
}

const unanswered = (outcome: string): FoundryError =>
  new FoundryError("SERVICE_UNREACHABLE", `it started, but ${outcome}.`, {
    action: "Try again in a moment, or install Foundry Local's command line.",
    retryable: true,
  });

const success = (found: Found, attempts: readonly Attempt[]): Search => ({
  found,
  attempts,
  error: null,
});

function failure(
  context: SearchContext,
  situation: Situation,
  attempts: readonly Attempt[],
): Search {
  const facts = { mayEmbed: context.embedded !== false, isCliSet: context.isCliSet };
  const error = noEndpointError(situation, attempts, context.machine, facts);
  const start = startOf(situation);
  return { found: null, attempts, error, ...(start === null ? {} : { start }) };
}

function startOf(situation: Situation): "failed" | "next" | null {
  if ("willStart" in situation) return situation.willStart ? "next" : null;
  if (situation.kind === "embedded_later") return "next";
  const hasFailed = ["start_failed", "start_late", "embedded_failed"].includes(situation.kind);
  return hasFailed ? "failed" : null;
}
