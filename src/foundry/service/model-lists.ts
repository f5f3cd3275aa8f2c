import {
  MOST_MODELS_REMEMBERED,
  RecentMap,
  SharedTasks,
  TIMED_OUT,
  type Trace,
  waitFor,
} from "../../lib/index.js";
import type { Logger } from "../../log.js";
import type { CallOptions } from "../calls.js";
import type { Call, Dialect, ModelList } from "../dialects/index.js";
import {
  type Family,
  type KnownModel,
  type LoadedModel,
  mergeModels,
  modelKey,
  NO_DISK_FACTS,
  readDiskFacts,
} from "../models/index.js";
import { isBlockedByLoad, serviceBusyError } from "./time-limits.js";

/** How long a list of models is recent enough to resolve a name with, in milliseconds. */
const RECENT_MS = 10_000;

/** How long a list waits for the loaded models, in milliseconds. */
const LOADED_LIST_MS = 5000;
/** The same while an earlier request for them is in flight. */
const LOADED_LIST_IN_FLIGHT_MS = 500;

/** How long a limit that the service named counts as its limit. The engine may be started with another. */
const LEARNED_CONTEXT_MS = 300_000;

const LOADED_UNKNOWN =
  "The service is busy, probably loading a model, so which models are loaded is not known now.";

/** The list of a service, merged with all else that is known of its models. */
export interface ModelListing extends Omit<ModelList, "models"> {
  readonly models: readonly KnownModel[];
  /** `false` where the service does not say what is loaded, or is too busy to. */
  readonly isLoadedKnown: boolean;
}

export interface ListedService {
  readonly dialect: Dialect;
  /** Where it says that its models are stored; `null` also where it is not on this machine. */
  readonly modelCachePath: string | null;
}

interface ModelListsContext {
  readonly connect: (signal?: AbortSignal) => Promise<ListedService>;
  /** Runs requests within the time for quick ones. */
  readonly quickly: <T>(work: (call: Call) => Promise<T>) => Promise<T>;
  /** Limits for a request that may have to wait for a load. */
  readonly patient: () => Call;
  readonly timeoutMs: number;
  readonly log: Logger;
}

/** Of callers that share a request: their signals end the waiting, and the trace of the first is sent. */
type ListCall = Pick<CallOptions, "signal" | "trace">;

interface Dated<T> {
  readonly value: T;
  readonly at: number;
}

/** The models of one service: requested, merged with what its disk says, and remembered for a moment. */
export class ModelLists {
  readonly #context: ModelListsContext;
  /** By {@link modelKey}. */
  readonly #learnedContext = new RecentMap<string, Dated<number>>(MOST_MODELS_REMEMBERED);
  readonly #requests = new SharedTasks<ModelListing>({ runsOn: true });
  /** A request for the loaded models that is in flight. */
  #loadedRequest: {
    readonly loaded: Promise<readonly LoadedModel[] | null>;
    readonly corrections: number;
  } | null = null;
  #list: Dated<ModelList> | null = null;
  #listing: Dated<ModelListing> | null = null;
  /** How often what is known was declared wrong: what was requested before that is not remembered. */
  #corrections = 0;

  constructor(context: ModelListsContext) {
    this.#context = context;
  }

  /** All models as far as they are known within the time for quick requests. */
  available({ signal, trace }: ListCall = {}): Promise<ModelListing> {
    return this.#requests.get("available", () => this.#inTime(trace)).wait({ signal });
  }

  async #inTime(trace: Trace | undefined): Promise<ModelListing> {
    const { connect, quickly, timeoutMs } = this.#context;
    const { dialect } = await connect();
    try {
      const patienceMs = Math.min(LOADED_LIST_MS, timeoutMs / 2);
      const listing = await quickly((call) => this.atOnce({ ...call, trace }, patienceMs));
      if (listing.missing !== undefined) throw listing.missing;
      return listing;
    } catch (thrown) {
      throw isBlockedByLoad(dialect, thrown) ? serviceBusyError(thrown) : thrown;
    }
  }

  /**
   * All models as far as they are known at once: while the service loads a model, it does not say
   * what is loaded (docs/foundry-local.md, section 3). After `patienceMs` the list says so.
   */
  async atOnce(call: Call, patienceMs: number): Promise<ModelListing> {
    const service = await this.#context.connect(call.signal);
    const before = this.#loadedRequest?.corrections ?? this.#corrections;
    const { dialect } = service;
    // A request for loaded models in flight delays the list, too: then the last list is used.
    const isInFlight = this.#loadedRequest !== null;
    const list = (isInFlight ? this.#list : null) ?? (await this.#requestList(dialect, call));
    const loading = dialect.can.listsWaitForLoads
      ? this.#loadedWithin(service, list, isInFlight ? LOADED_LIST_IN_FLIGHT_MS : patienceMs, call)
      : dialect.loadedModels(call);
    const [loaded, merge] = await Promise.all([loading, this.#merging(service, list)]);
    if (loaded !== TIMED_OUT) return this.#remember(merge(loaded), Date.now(), before);
    // Without the loaded models it serves to show, not to choose a model, so it is not remembered.
    return { ...merge(null), warning: LOADED_UNKNOWN, isLoadedKnown: false };
  }

  /** All models, the loaded ones included, requested now. */
  all(call: Call): Promise<ModelListing> {
    return this.#withLoaded(call, false);
  }

  /** All models: which of them are loaded is requested now, the rest is the last list. */
  refreshLoaded(call: Call): Promise<ModelListing> {
    return this.#withLoaded(call, true);
  }

  /** All models, possibly as they were a moment ago. */
  async recent({ signal, trace }: ListCall = {}): Promise<ModelListing> {
    if (this.hasRecent && this.#listing !== null) return this.#listing.value;
    const request = () => this.all({ ...this.#context.patient(), trace });
    return this.#requests.get("recent", request).wait({ signal });
  }

  /** Whether a name can be resolved without a request. */
  get hasRecent(): boolean {
    return this.#listing !== null && Date.now() - this.#listing.at < RECENT_MS;
  }

  /** Remembers a limit that the service named when it refused a request. */
  learnContext(model: KnownModel, limit: number): void {
    const key = modelKey(model);
    if (this.#learnedContext.get(key)?.value !== limit) this.#listing = null;
    this.#learnedContext.set(key, { value: limit, at: Date.now() });
  }

  /** The limit of a model as far as it is certain now; `null` where it is not. */
  knownContext(model: KnownModel): number | null {
    const learnedAt = this.#learnedContext.get(modelKey(model))?.at ?? Date.now();
    return Date.now() - learnedAt < LEARNED_CONTEXT_MS ? model.contextLength : null;
  }

  /** Marks a model as downloaded in what is known. */
  noteDownloaded(model: KnownModel): void {
    const mark = <M extends Pick<KnownModel, "family" | "id">>(models: readonly M[]) =>
      models.map((each) =>
        modelKey(each) === modelKey(model) ? { ...each, downloaded: true } : each,
      );
    const [list, listing] = [this.#list, this.#listing];
    this.#correct();
    if (list !== null) {
      this.#list = { ...list, value: { ...list.value, models: mark(list.value.models) } };
    }
    if (listing !== null) {
      const models = mark(listing.value.models);
      this.#listing = { ...listing, value: { ...listing.value, models } };
    }
  }

  /** The next listing is requested again. */
  forget(): void {
    this.#listing = null;
    this.#correct();
  }

  #correct(): void {
    this.#corrections += 1;
    this.#requests.clear();
  }

  /** Another service answers now: what is in flight was asked of the one before. */
  forgetRequests(): void {
    this.#loadedRequest = null;
  }

  /** Another service may answer now: its list is another one. */
  forgetList(): void {
    this.#list = null;
  }

  async #requestList(dialect: Dialect, call: Call): Promise<Dated<ModelList>> {
    const before = this.#corrections;
    const list = { value: await dialect.listModels(call), at: Date.now() };
    if (before === this.#corrections) this.#list = list;
    return list;
  }

  async #withLoaded(call: Call, usesLastList: boolean): Promise<ModelListing> {
    const service = await this.#context.connect(call.signal);
    const before = this.#corrections;
    const last = usesLastList ? this.#list : null;
    const list = last ?? (await this.#requestList(service.dialect, call));
    const [loaded, merge] = await Promise.all([
      service.dialect.loadedModels(call, familiesOf(list)),
      this.#merging(service, list),
    ]);
    return this.#remember(merge(loaded), usesLastList ? list.at : Date.now(), before);
  }

  /** The request continues after the time limit: aborting it would not free the service. */
  #loadedWithin(
    { dialect }: ListedService,
    list: Dated<ModelList>,
    withinMs: number,
    { signal, trace, retry = true }: Call,
  ): Promise<readonly LoadedModel[] | null | typeof TIMED_OUT> {
    const call = { ...this.#context.patient(), trace, retry };
    if (this.#loadedRequest === null) {
      const loaded = dialect.loadedModels(call, familiesOf(list)).finally(() => {
        if (this.#loadedRequest?.loaded === loaded) this.#loadedRequest = null;
      });
      this.#loadedRequest = { loaded, corrections: this.#corrections };
    }
    return waitFor(this.#loadedRequest.loaded, { withinMs, signal, ref: false });
  }

  /** Merges the list and the facts on disk with the loaded models, which may come later. */
  async #merging(
    { dialect, modelCachePath }: ListedService,
    { value: { models: listed, ...rest } }: Dated<ModelList>,
  ): Promise<(loaded: readonly LoadedModel[] | null) => ModelListing> {
    const disk =
      modelCachePath === null
        ? NO_DISK_FACTS
        : await readDiskFacts(modelCachePath, this.#context.log);
    return (loaded) => ({
      ...rest,
      models: mergeModels({
        listed,
        loaded,
        disk,
        listsOnlyDownloaded: dialect.can.listsOnlyDownloaded === true,
        contextLimit: dialect.can.contextLimit,
        learnedContext: this.#learnedContext,
      }),
      isLoadedKnown: loaded !== null,
    });
  }

  #remember(value: ModelListing, at: number, before: number): ModelListing {
    if (before === this.#corrections) this.#listing = { value, at };
    return value;
  }
}

/** The families that have models: in a family without any, none can be loaded. */
const familiesOf = ({ value: { models } }: Dated<ModelList>): Family[] => [
  ...new Set<Family>(["public", ...models.map(({ family }) => family)]),
];
