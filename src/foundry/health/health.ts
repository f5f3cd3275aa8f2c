import { type CircuitState, isLoopback } from "../../http/index.js";
import { FoundryError, toFoundryError, untilAborted } from "../../lib/index.js";
import { type MachineMemory, machineMemory, processFigures } from "../../platform/index.js";
import type { Connection, CurrentService } from "../connection/index.js";
import type { Call, Dialect, DialectName } from "../dialects/index.js";
import type { FoundBy } from "../discovery/index.js";
import type { Metrics, Totals } from "../metrics.js";
import {
  type HealthDetails,
  isBlockedByLoad,
  type Live,
  type ModelListing,
  type Service,
} from "../service/index.js";
import {
  circuitProblems,
  defaultProblems,
  endpointAdvice,
  type HealthProblem,
  listingProblems,
  movedProblem,
  narrowedAdvice,
  oldAgentProblem,
  problemOf,
} from "./problems.js";

/** How a service is. What cannot be known from outside is `null` (docs/foundry-local.md, section 8). */
export interface Health {
  /** `degraded`: it answers, but something is wrong; `unavailable`: it does not answer. */
  readonly status: "healthy" | "degraded" | "unavailable";
  readonly endpoint: string | null;
  readonly dialect: DialectName | null;
  /** The same for people, such as `Foundry Local core 2.1 or later`. */
  readonly service: string | null;
  /** How the endpoint was found; `set` by the user, for one. */
  readonly foundBy: FoundBy | null;
  /** Ids of the models in memory; `null` where the service does not tell, or is too busy to. */
  readonly loadedModels: readonly string[] | null;
  /** Whether it is loading a model, by all one can tell. */
  readonly busy: boolean | null;
  readonly memory: HealthMemory | null;
  readonly uptimeSeconds: number | null;
  readonly pid: number | null;
  readonly version: string | null;
  /** How long the liveness question took, in milliseconds. */
  readonly latencyMs: number | null;
  readonly circuit: { readonly state: CircuitState; readonly nextProbeInMs: number | null } | null;
  readonly queue: { readonly running: number; readonly waiting: number };
  readonly totals: Totals;
  /** What is wrong, and what might be: advice alone leaves the status `healthy`. */
  readonly problems: readonly HealthProblem[];
}

export interface HealthMemory extends MachineMemory {
  /** Of the service's process, models included. */
  readonly processMb: number | null;
}

/** A liveness question is answered in milliseconds or not at all. */
const LIVENESS_MS = 5000;
/** Lists wait for a running load; a health check does not wait with them. */
const LIST_MS = 2000;
/** Where the service is instead of at a set endpoint is worth a short search: about as long as that. */
const ELSEWHERE_MS = 5000;

/** How often a health check searches for a service that is gone from where it was found. */
const MOST_LOOKS = 3;

interface Reached {
  readonly connection: Connection | null;
  readonly live: Live | FoundryError | null;
}

/** @internal */
export interface HealthContext {
  readonly current: CurrentService;
  readonly metrics: Metrics;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Looks at a service without changing or starting anything. Never throws: what goes wrong is in
 * `problems`.
 * @internal
 */
export async function checkHealth(context: HealthContext): Promise<Health> {
  try {
    return await examine(context);
  } catch (thrown) {
    return { ...unknownOf(null, context.metrics), problems: [problemOf(toFoundryError(thrown))] };
  }
}

async function examine({ current, metrics, timeoutMs, signal }: HealthContext): Promise<Health> {
  const lookMs = Math.min(LIVENESS_MS, timeoutMs);
  const { connection, live } = await reach(current, lookMs, signal);
  const unknown = unknownOf(connection, metrics);
  if (connection === null || live === null) {
    return { ...unknown, problems: [problemOf(current.whyNothing)] };
  }
  if (live instanceof FoundryError) {
    const elsewhere = await current.elsewhere(connection, within(ELSEWHERE_MS, signal));
    const problem = elsewhere === null ? problemOf(live) : movedProblem(live, elsewhere);
    return { ...unknown, problems: [problem] };
  }
  const { loader, service } = connection;
  const { dialect, pid, latencyMs } = live;
  const { isLoading } = loader;
  const listMs = Math.min(LIST_MS, timeoutMs);
  const { isHere, listing, figures } = await service.details.ask(
    () => detailsOf(service, pid, isLoading ? null : listMs),
    signal,
  );
  const isBusy = isLoading || looksBusy(dialect, listing);
  const problems = [
    ...(isBusy || listing === null ? [] : listingProblems(dialect.name, listing)),
    ...defaultProblems(loader, listing),
    ...circuitProblems(service),
    ...(await neighbourProblems(current, connection.service, dialect)),
  ];
  const advice = [
    ...endpointAdvice(service.endpoint, isLoopback(service.endpoint)),
    ...narrowedAdvice(dialect, service.endpoint, listing),
  ];
  return {
    ...unknown,
    status: problems.length > 0 ? "degraded" : "healthy",
    dialect: dialect.name,
    service: dialect.title,
    version: dialect.version,
    loadedModels: loadedIds(listing),
    // Where nothing waits for a load, one that somebody else started cannot be seen.
    busy: isBusy ? true : dialect.can.listsWaitForLoads ? false : null,
    memory: isHere ? { processMb: figures?.memoryMb ?? null, ...machineMemory() } : null,
    uptimeSeconds: figures?.uptimeSeconds ?? null,
    pid,
    latencyMs,
    circuit: service.transport.circuit,
    problems: [...problems, ...advice],
  };
}

/** The service in use and its answer. A service that moved or ended is searched for again. */
async function reach(
  current: CurrentService,
  lookMs: number,
  signal: AbortSignal | undefined,
): Promise<Reached> {
  for (let looks = 1; ; looks += 1) {
    const connection = await current.look(signal);
    if (connection === null) return { connection, live: null };
    let live = await sharedLook(connection.service, lookMs, signal);
    // It may have ended during a look that began before this health check.
    if (hasCrashed(live)) live = await sharedLook(connection.service, lookMs, signal);
    if (!(live instanceof FoundryError) || !current.noteDeath(connection, live)) {
      return { connection, live };
    }
    // A search that began before the service ended may have found it where it was.
    if (looks === MOST_LOOKS) return { connection: null, live: null };
  }
}

const hasCrashed = (live: Live | FoundryError): boolean =>
  live instanceof FoundryError && live.code === "SERVER_CRASHED";

/** What else of Foundry Local is on this machine and stands in the way of this service. */
async function neighbourProblems(
  current: CurrentService,
  service: Service,
  { name }: Dialect,
): Promise<HealthProblem[]> {
  if (name !== "S" || !service.isOnThisMachine) return [];
  const commandLine = await current.commandLine();
  return commandLine?.generation === "server" ? [oldAgentProblem(service.endpoint)] : [];
}

/** What is known of a service that does not answer, and of none at all. */
const unknownOf = (connection: Connection | null, metrics: Metrics): Health => ({
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
  queue: { running: metrics.running, waiting: 0 },
  totals: metrics.totals,
  problems: [],
});

/** {@link look}, once for all health checks at the same time. */
const sharedLook = (
  service: Service,
  wholeMs: number,
  signal: AbortSignal | undefined,
): Promise<Live | FoundryError> =>
  service.looks
    .ask(() => look(service, callWithin(wholeMs, undefined)), signal)
    .catch(toFoundryError);

/** @param listMs `null` while a load of ours runs: the answer is known, and the question would wait. */
async function detailsOf(
  service: Service,
  pid: number | null,
  listMs: number | null,
): Promise<HealthDetails> {
  // It may be lost at this very moment, which the next question shows.
  const isHere = await service.isOnThisDisk().catch(() => false);
  const [listing, figures] = await Promise.all([
    listMs === null ? null : list(service, callWithin(listMs, undefined)),
    isHere && pid !== null ? processFigures(pid) : null,
  ]);
  return { isHere, listing, figures };
}

/** Asks the cheap question first; a service that no longer answers it as before is looked at anew. */
async function look(service: Service, call: BoundedCall): Promise<Live | FoundryError> {
  const question = { ...call, retry: false };
  const timed = async (dialect: Dialect): Promise<Live> => {
    const startedAt = performance.now();
    const { pid } = await dialect.status(question);
    return { dialect, pid, latencyMs: Math.round((performance.now() - startedAt) * 10) / 10 };
  };
  try {
    const asked = service.knownDialect;
    // It may be on its way for another call, which is more patient than this one.
    const known = asked && (await untilAborted(asked, within(call.limits.wholeMs, call.signal)));
    if (known !== null) return await timed(known);
  } catch (error) {
    const isSilent = error instanceof FoundryError && error.code === "TIMEOUT";
    if (isSilent || call.signal?.aborted === true) return toFoundryError(error);
    // Another service may answer there now: find out below, which also words what is wrong.
  }
  try {
    return await timed((await service.lookOnce(question)).dialect);
  } catch (error) {
    return toFoundryError(error);
  }
}

async function list(service: Service, call: Call): Promise<ModelListing | FoundryError> {
  try {
    return await service.listAtOnce({ ...call, retry: false }, call.limits.wholeMs ?? LIST_MS);
  } catch (error) {
    return toFoundryError(error);
  }
}

/** Alive but slow to tell what is loaded is what a load of somebody else looks like. */
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

type BoundedCall = Call & { readonly limits: { readonly wholeMs: number } };

const callWithin = (wholeMs: number, signal: AbortSignal | undefined): BoundedCall =>
  signal === undefined ? { limits: { wholeMs } } : { limits: { wholeMs }, signal };

const within = (ms: number, signal: AbortSignal | undefined): AbortSignal =>
  AbortSignal.any([AbortSignal.timeout(ms), ...(signal === undefined ? [] : [signal])]);
