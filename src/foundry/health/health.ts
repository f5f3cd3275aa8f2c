import type { CircuitState } from "../../http/index.js";
import {
  cancelledError,
  endedError,
  FoundryError,
  type HealthTotals,
  isLoopback,
  joinedSignal,
  type LastError,
  type MetricsRecorder,
  TIMED_OUT,
  toFoundryError,
  waitFor,
} from "../../lib/index.js";
import { machineMemory, processFigures } from "../../platform/index.js";
import type { CliGeneration } from "../cli/index.js";
import type { Connection, CurrentService } from "../current-service.js";
import type { Dialect, DialectName } from "../dialects/index.js";
import type { Attempt, FoundBy } from "../discovery/index.js";
import {
  type HealthDetails,
  isBlockedByLoad,
  type Live,
  type ModelListing,
  type Service,
  withinQuickLimits,
} from "../service/index.js";
import type { HealthProblem } from "./problem.js";
import {
  circuitProblems,
  defaultProblems,
  endpointAdvice,
  failingProblem,
  listingProblems,
  movedProblem,
  narrowedAdvice,
  oldAgentProblem,
  problemOf,
} from "./problems.js";

/** The state of a service. What cannot be known from outside is `null` (docs/foundry-local.md, section 8). */
export interface Health {
  /** `degraded`: it answers, but something is wrong; `unavailable`: it does not answer. */
  readonly status: "healthy" | "degraded" | "unavailable";
  readonly endpoint: string | null;
  readonly dialect: DialectName | null;
  /** Its name for people, such as `Foundry Local core 2.1 or later`. */
  readonly service: string | null;
  /** How the endpoint was found, such as `set` by the user. */
  readonly foundBy: FoundBy | null;
  /** Ids of the models in memory; `null` where the service does not say, or is too busy to. */
  readonly loadedModels: readonly string[] | null;
  /** Whether it is loading a model, as far as that can be seen. */
  readonly busy: boolean | null;
  readonly memory: HealthMemory | null;
  readonly uptimeSeconds: number | null;
  readonly pid: number | null;
  readonly version: string | null;
  /** How long the liveness request took, in milliseconds. */
  readonly latencyMs: number | null;
  readonly circuit: { readonly state: CircuitState; readonly nextProbeInMs: number | null } | null;
  readonly totals: HealthTotals;
  /** Tokens per second of this client's completions, the median; `null`: none was measured. */
  readonly tokensPerSecond: number | null;
  /** The latest failure of a call of this client; `null`: none. `metrics` has more. */
  readonly lastError: LastError | null;
  /** What is wrong, and what might be: advice alone leaves the status `healthy`. */
  readonly problems: readonly HealthProblem[];
  /** Completions of this client. */
  readonly queue: { readonly running: number; readonly waiting: number };
  /** The option `rateLimit`, and the time until the next start; `null`: no limit. */
  readonly rateLimit: { readonly perMinute: number; readonly nextStartInMs: number } | null;
  /** Answers in the cache (the option `cache`), and how often one was used; `null`: no cache. */
  readonly cache: { readonly entries: number; readonly hits: number } | null;
}

/**
 * {@link Health} without what only the client of `jobs` knows.
 * @internal
 */
export type ServiceHealth = Omit<Health, "queue" | "rateLimit" | "cache">;

/**
 * What `doctor` shows of a machine and its service.
 * @internal
 */
export interface Diagnosis {
  readonly health: ServiceHealth;
  /** What was tried to find the service, in order; empty where its endpoint is set. */
  readonly attempts: readonly Attempt[];
  /** How long that took, a start of the service included; `null` where nothing was searched for. */
  readonly searchMs: number | null;
  readonly commandLine: {
    readonly path: string;
    readonly generation: CliGeneration | null;
    readonly version: string | null;
  } | null;
}

/** In MB (1024 KB); `totalMb` and `freeMb` are of the machine, or of the container that the client is in. */
export interface HealthMemory {
  readonly totalMb: number;
  readonly freeMb: number;
  /** Of the service's process, models included. */
  readonly processMb: number | null;
}

/** A liveness request is answered in milliseconds or not at all. */
const LIVENESS_MS = 5000;
/** Lists wait for a running load; a health check does not wait with them. */
const LIST_MS = 2000;
/** Time limit of the search for a service that does not answer at the endpoint that is set. */
const ELSEWHERE_MS = 5000;

/** How often a health check searches for a service that is gone from its address. */
const MOST_SEARCHES = 3;

interface Reached {
  readonly connection: Connection | null;
  readonly live: Live | FoundryError | null;
}

/** @internal */
interface HealthContext {
  readonly current: CurrentService;
  readonly metrics: MetricsRecorder;
  readonly timeoutMs: number;
  /** Of the caller. */
  readonly signal: AbortSignal | undefined;
  /** Aborted when the client is closed. */
  readonly closing: AbortSignal;
  /** `false`: the caller itself reports how its completions failed. */
  readonly reportsFailing: boolean;
}

/**
 * Checks a service without changing or starting anything. Never throws: errors become `problems`.
 * @internal
 */
export async function checkHealth(context: HealthContext): Promise<ServiceHealth> {
  const { current, signal, closing, metrics } = context;
  const end = joinedSignal(closing, signal);
  try {
    if (end.signal.aborted) throw cancelledError();
    return await examine(context, end.signal);
  } catch (thrown) {
    const error = endedError(toFoundryError(thrown), signal, closing);
    return { ...unknownOf(current.known, metrics), problems: [problemOf(error)] };
  } finally {
    end.dispose();
  }
}

async function examine(
  { current, metrics, timeoutMs, reportsFailing }: HealthContext,
  signal: AbortSignal,
): Promise<ServiceHealth> {
  const livenessMs = Math.min(LIVENESS_MS, timeoutMs);
  const { connection, live } = await reach(current, livenessMs, signal);
  const unknown = unknownOf(connection, metrics);
  if (connection === null || live === null) {
    return { ...unknown, problems: [problemOf(current.whyNothing)] };
  }
  if (live instanceof FoundryError) {
    const limit = AbortSignal.any([AbortSignal.timeout(ELSEWHERE_MS), signal]);
    const elsewhere = await current.elsewhere(connection, limit);
    const problem = elsewhere === null ? problemOf(live) : movedProblem(live, elsewhere);
    return { ...unknown, problems: [problem] };
  }
  const { loader, service } = connection;
  const { dialect, pid, latencyMs } = live;
  const { isLoading } = loader;
  const listMs = isLoading && dialect.can.listsWaitForLoads ? null : Math.min(LIST_MS, timeoutMs);
  const { isHere, listing, figures } = await service.detailChecks
    .get("details", () => detailsOf(service, pid, listMs))
    .wait({ signal });
  const isBusy = isLoading || looksBusy(dialect, listing);
  const problems = [
    ...(isBusy || listing === null
      ? []
      : await listingProblems(dialect.can, listing, loader.missing)),
    ...(await defaultProblems(loader, listing)),
    ...circuitProblems(service),
    ...(reportsFailing ? metrics.failing.map(failingProblem) : []),
    ...(await neighbourProblems(current, connection.service, dialect)),
  ];
  const advice = [
    ...endpointAdvice(service.endpoint, isLoopback(service.endpoint)),
    ...narrowedAdvice(dialect.can, service.endpoint, listing),
  ];
  return {
    ...unknown,
    status: problems.length > 0 ? "degraded" : "healthy",
    dialect: dialect.name,
    service: dialect.title,
    version: dialect.version,
    loadedModels: loadedIds(listing),
    // Where lists do not wait for loads, a load of another client cannot be seen.
    busy: isBusy ? true : dialect.can.listsWaitForLoads ? false : null,
    memory: isHere ? { processMb: figures?.memoryMb ?? null, ...machineMemory() } : null,
    uptimeSeconds: figures?.uptimeSeconds ?? null,
    pid,
    latencyMs,
    circuit: service.transport.circuit,
    problems: [...problems, ...advice],
  };
}

/** The service in use and its liveness. A service that moved or ended is searched for again. */
async function reach(
  current: CurrentService,
  livenessMs: number,
  signal: AbortSignal,
): Promise<Reached> {
  for (let searches = 1; ; searches += 1) {
    const connection = await current.findRunning(signal);
    if (connection === null) return { connection, live: null };
    let live = await livenessOf(connection.service, livenessMs, signal);
    // It may have ended during a check that began before this health check.
    if (hasCrashed(live)) live = await livenessOf(connection.service, livenessMs, signal);
    if (!(live instanceof FoundryError) || !current.noteGone(connection, live)) {
      return { connection, live };
    }
    // A search that began before the service ended may have found it at its old address.
    if (searches === MOST_SEARCHES) return { connection: null, live: null };
  }
}

const hasCrashed = (live: Live | FoundryError): boolean =>
  live instanceof FoundryError && live.code === "SERVER_CRASHED";

/** Problems with another installation of Foundry Local on this machine. */
async function neighbourProblems(
  current: CurrentService,
  service: Service,
  { can }: Dialect,
): Promise<HealthProblem[]> {
  if (!can.isOldGeneration || !service.isOnThisMachine) return [];
  const commandLine = await current.discovery.cli();
  return commandLine?.generation === "server" ? [oldAgentProblem(service.endpoint)] : [];
}

/** What is known without an answer of a service. */
const unknownOf = (connection: Connection | null, metrics: MetricsRecorder): ServiceHealth => ({
  status: "unavailable",
  endpoint: connection?.service.endpoint ?? null,
  dialect: null,
  service: null,
  foundBy: connection?.foundBy ?? null,
  loadedModels: null,
  busy: null,
  memory: null,
  uptimeSeconds: null,
  pid: null,
  version: null,
  latencyMs: null,
  circuit: connection?.service.transport.circuit ?? null,
  totals: metrics.totals,
  tokensPerSecond: metrics.distributionOf("tokensPerSecond")?.p50 ?? null,
  lastError: metrics.lastError,
  problems: [],
});

/** Whether the service answers; concurrent health checks share the request. */
const livenessOf = (
  service: Service,
  wholeMs: number,
  signal: AbortSignal,
): Promise<Live | FoundryError> =>
  service.livenessChecks.get("liveness", () => checkLiveness(service, wholeMs)).wait({ signal });

/** @param listMs `null` while one of our loads runs for which the list would wait. */
async function detailsOf(
  service: Service,
  pid: number | null,
  listMs: number | null,
): Promise<HealthDetails> {
  // It may have ended since it answered; then the next request fails.
  const isHere = (await service.isOnThisDisk().catch(() => false)) === true;
  const list = (wholeMs: number) =>
    service.models.atOnce({ limits: { wholeMs }, retry: false }, wholeMs).catch(toFoundryError);
  const [listing, figures] = await Promise.all([
    listMs === null ? null : list(listMs),
    isHere && pid !== null ? processFigures(pid) : null,
  ]);
  return { isHere, listing, figures };
}

/** Requests the status of the known dialect; if that fails, the service is detected again. */
function checkLiveness(service: Service, wholeMs: number): Promise<Live | FoundryError> {
  const check = async (signal: AbortSignal): Promise<Live> => {
    const once = { limits: { wholeMs }, signal, retry: false };
    const timed = async (dialect: Dialect): Promise<Live> => {
      const startedAt = performance.now();
      const { pid } = await dialect.status(once);
      return { dialect, pid, latencyMs: Math.round((performance.now() - startedAt) * 10) / 10 };
    };
    try {
      const detection = service.knownDialect;
      // It may be in flight for another call, which has a longer time limit and retries.
      const wait = { withinMs: wholeMs / 2, signal };
      const known = detection && (await waitFor(detection, wait));
      if (known !== null && known !== TIMED_OUT) return await timed(known);
    } catch (error) {
      if (signal.aborted || toFoundryError(error).code === "TIMEOUT") throw error;
      // Another service may answer there now: the detection below finds it, or the right error.
    }
    return timed((await service.detectOnce(once)).dialect);
  };
  return withinQuickLimits(service.endpoint, wholeMs, check).catch(toFoundryError);
}

/** A service that is alive but does not list its loaded models is loading one for another client. */
function looksBusy(dialect: Dialect, listing: ModelListing | FoundryError | null): boolean {
  if (listing instanceof FoundryError) {
    return isBlockedByLoad(dialect, listing) || listing.code === "SERVICE_BUSY";
  }
  return listing !== null && dialect.can.listsWaitForLoads && !listing.isLoadedKnown;
}

function loadedIds(listing: ModelListing | FoundryError | null): string[] | null {
  if (listing === null || listing instanceof FoundryError || !listing.isLoadedKnown) return null;
  return listing.models.filter((model) => model.loaded === true).map((model) => model.id);
}
