import { FoundryError, type SharedTask, SharedTasks, toFoundryError } from "../../lib/index.js";
import type { CallOptions, OnStatus, StatusUpdate } from "../calls.js";
import type { LoadSettings } from "../dialects/index.js";
import {
  type AutoWish,
  canChat,
  chooseAuto,
  chooseDefaultModel,
  type Device,
  findModel,
  isAuto,
  isSameVariant,
  type KnownModel,
  modelKey,
  nearestNames,
  parseModelId,
  resolveModel,
  shortName,
  spelledName,
  unlistedModel,
} from "../models/index.js";
import { Serial } from "../serial.js";
import { loadTimeout, type ModelListing, type Service, worded } from "../service/index.js";
import { AbandonedLoads } from "./abandoned-loads.js";
import { type CapacityCheck, warningsOf } from "./capacity.js";
import type { MissingModels } from "./missing-model.js";

interface LoadOutcome {
  /** The model that is in memory now: where a version was left open, the one the service chose. */
  readonly model: KnownModel;
  readonly status: "loaded" | "already_loaded";
  /** What was tight, each a sentence. */
  readonly warnings: readonly string[];
}

/**
 * What one caller asks of a load. `onStatus` is called when the load waits for another one, and when it
 * begins. Of callers that share a load, the `trace` of the one that begins it is sent.
 */
interface LoadRequest extends LoadSettings, Pick<CallOptions, "onStatus" | "trace"> {
  /** Load the model although by the figures it does not fit into memory. */
  readonly force?: boolean | undefined;
}

export interface ResolveOptions extends CallOptions {
  /** Default: "auto" is a name like any other. */
  readonly auto?: AutoWish | undefined;
  readonly device?: Device | undefined;
}

export interface ResolvedModel {
  readonly model: KnownModel;
  /** What the caller typed; the id where the caller named no model. */
  readonly typed: string;
  /** Why it is this model, where the caller did not choose it. */
  readonly reason: string | null;
  /** The caller asked for "auto". */
  readonly isAuto?: boolean;
}

type LoadTask = SharedTask<LoadOutcome, StatusUpdate>;

/**
 * Resolves names of models and loads models, one after the other. Concurrent callers share the load of
 * a model, and it continues without them: no service stops a load that has begun
 * (docs/foundry-local.md, section 3).
 */
export class ModelLoader {
  readonly #service: Service;
  readonly #defaultModel: string | undefined;
  readonly #capacity: CapacityCheck;
  /** No service loads two models faster at the same time, and concurrent loads need more memory. */
  readonly #serial = new Serial();
  readonly #abandoned: AbandonedLoads;
  readonly #tasks = new SharedTasks<LoadOutcome, StatusUpdate>();
  /** Loads that at least one caller forces. */
  readonly #forced = new WeakSet<LoadTask>();

  constructor(
    service: Service,
    defaultModel: string | undefined,
    /** What to do about models that are not downloaded. */
    readonly missing: MissingModels,
    capacity: CapacityCheck,
  ) {
    this.#service = service;
    this.#defaultModel = defaultModel;
    this.#capacity = capacity;
    this.#abandoned = new AbandonedLoads(service);
  }

  /** Whether one of our loads is running. */
  get isLoading(): boolean {
    return this.#tasks.size > 0;
  }

  /** The model that a name stands for, or the default model. Models are listed again for an unknown name. */
  async resolveModel(
    typed: string | undefined,
    { signal, device, onStatus, trace, auto }: ResolveOptions = {},
  ): Promise<ResolvedModel> {
    if (onStatus !== undefined) await this.#reportWaiting(onStatus, signal);
    const { models: lists } = this.#service;
    const { can } = await this.#service.dialect(signal);
    const name = typed ?? this.#defaultModel;
    const choose = ({ models, missing }: ModelListing): ResolvedModel => {
      const wish = isAuto(name, models) ? auto : undefined;
      const sent = wish === undefined ? name : (this.#defaultModel ?? name);
      // Another engine may have a model although its list is empty or missing.
      if (sent !== undefined && models.length === 0 && !can.isFoundryLocal) {
        return { model: unlistedModel(sent.trim()), typed: sent, reason: null };
      }
      if (missing !== undefined) throw missing;
      if (wish !== undefined) {
        return chooseAuto(models, wish, this.#defaultModel, can.isFoundryLocal);
      }
      if (name !== undefined) {
        const model = resolveModel(name, models, device);
        // With a device, that variant is meant, not the one that the service prefers.
        return { model, typed: device === undefined ? name : model.id, reason: null };
      }
      const { model, reason } = chooseDefaultModel(models, can.isFoundryLocal);
      // Whatever variant the service prefers will do.
      return { model, typed: spelledName(model), reason };
    };
    try {
      return choose(await lists.recent({ signal, trace }));
    } catch (error) {
      if (!(error instanceof FoundryError) || !error.code.startsWith("MODEL_")) throw error;
    }
    const listing = await lists.all(this.#service.patient(signal, trace));
    const problem = typed === undefined ? await this.defaultProblem(listing.models) : null;
    if (problem !== null) throw ofListing(problem, listing);
    try {
      return choose(listing);
    } catch (thrown) {
      const needs = isAuto(name, listing.models) ? auto?.needs() : undefined;
      const error = toFoundryError(thrown);
      throw await this.missing.noneToChoose(ofListing(error, listing), listing.models, needs);
    }
  }

  /** What is wrong with the default model that was set, by the service's list; `null` if nothing. */
  async defaultProblem(models: readonly KnownModel[]): Promise<FoundryError | null> {
    const name = this.#defaultModel;
    if (name === undefined || isAuto(name, models)) return null;
    const model = findModel(name, models);
    if (model === undefined) {
      return new FoundryError(
        "MODEL_NOT_FOUND",
        `The default model that is set, "${name}", is not among the service's models.`,
        {
          action: `Set the option \`model\` to one that is there${nearest(name, models)}, or name a model in the call.`,
        },
      );
    }
    if (model.task !== null && canChat(model) === false) {
      return new FoundryError(
        "MODEL_CANNOT_CHAT",
        `The default model that is set, "${name}", is for ${model.task}, not for completions.`,
        { action: "Set the option `model` to a model that can chat, or name one in the call." },
      );
    }
    if (model.downloaded !== false) return null;
    const problem = new FoundryError(
      "MODEL_NOT_CACHED",
      `The default model that is set, "${name}", is not downloaded.`,
      { action: "Download it, or set the option `model` to a downloaded one." },
    );
    return this.missing.explained(problem, model);
  }

  /**
   * Loads a model, or joins its load that is running. Resolves when the model is in memory. Aborting
   * ends the waiting; a load that has not begun is dropped with its last waiter.
   *
   * @throws FoundryError `MODEL_NOT_CACHED`, `INSUFFICIENT_MEMORY`, `LOAD_FAILED`, `EP_UNAVAILABLE`,
   *   `TIMEOUT` …
   */
  load(
    resolved: ResolvedModel,
    signal?: AbortSignal,
    { force, onStatus, ...request }: LoadRequest = {},
  ): Promise<LoadOutcome> {
    const { model } = resolved;
    // A load that began before the model was downloaded is about to fail.
    const key = `${modelKey(model)} ${model.downloaded}`;
    const task = this.#tasks.get(key, (own) => {
      const onWait = (before: string): void => own.update(waitingFor(before));
      return this.#serial.run(model.id, own.signal, onWait, () => {
        own.update({ step: "loading", message: `Loading ${model.id}`, percent: null });
        return this.#load(resolved, request, own);
      });
    });
    if (force === true) this.#forced.add(task);
    return task.wait({ signal, onUpdate: onStatus });
  }

  /** Where lists wait for loads, resolving a name now has to wait for our own running load. */
  async #reportWaiting(onStatus: OnStatus, signal: AbortSignal | undefined): Promise<void> {
    if (this.#service.models.hasRecent) return;
    const { running } = this.#serial;
    if (running === null) return;
    const { can } = await this.#service.dialect(signal);
    if (can.listsWaitForLoads) onStatus(waitingFor(running));
  }

  async #load(
    { model, typed }: ResolvedModel,
    { trace, ...settings }: Omit<LoadRequest, "force" | "onStatus">,
    task: LoadTask,
  ): Promise<LoadOutcome> {
    const service = this.#service;
    const dialect = await service.dialect();
    try {
      const wasAbandoned = await this.#abandoned.ended(model, dialect, task.signal);
      // A recent list says whether the model is loaded.
      const isKnown = service.models.hasRecent && !wasAbandoned;
      const warnings = dialect.can.load ? await this.#capacityWarnings(model, task) : [];
      task.runOn();
      for (let attempt = 1; ; attempt += 1) {
        const known = isKnown && attempt === 1 ? model : { ...model, loaded: null };
        const call = service.patient(undefined, trace);
        const status = await dialect.load(known, typed, call, settings);
        service.forgetModels();
        const { models } = await service.models.refreshLoaded(call);
        const loaded = loadedAs(model, typed, models);
        if (loaded !== null) return { model: loaded, status, warnings };
        // Between the two requests a restart, or another client, may have unloaded it.
        if (attempt > 1) throw notListed(model);
      }
    } catch (thrown) {
      service.forgetModels();
      const error = worded(toFoundryError(thrown), () =>
        loadTimeout(model.id, service.loadTimeoutMs),
      );
      if (error.code === "TIMEOUT" && error.phase !== "connect") this.#abandoned.note(model);
      throw await this.missing.explained(error, model);
    }
  }

  /** What is tight. @throws FoundryError `INSUFFICIENT_MEMORY` */
  async #capacityWarnings(model: KnownModel, task: LoadTask): Promise<string[]> {
    if (model.loaded === true) return [];
    const objection = await this.#capacity.forLoad(model);
    if (objection instanceof FoundryError) {
      // The model may have been loaded since it was listed: then it takes no further memory.
      const { models } = await this.#service.models.refreshLoaded(this.#service.patient());
      const now = models.find((listed) => modelKey(listed) === modelKey(model));
      if (now?.loaded === true) return [];
    }
    return warningsOf(objection, this.#forced.has(task));
  }
}

const waitingFor = (model: string): StatusUpdate => ({
  step: "waiting",
  message: `Waiting for the load of ${model}`,
  percent: null,
});

const nearest = (name: string, models: readonly KnownModel[]): string => {
  const names = nearestNames(name, models).map((near) => `"${near}"`);
  return names.length === 0 ? "" : `, such as ${names.join(", ")}`;
};

/** What is in memory after a load: the model itself, or the sibling that its alias stands for. */
function loadedAs(
  model: KnownModel,
  typed: string,
  models: readonly KnownModel[],
): KnownModel | null {
  const loaded = models.filter((candidate) => candidate.loaded === true);
  const exact = loaded.find((candidate) => modelKey(candidate) === modelKey(model));
  if (exact !== undefined) return exact;
  const isSibling = (candidate: KnownModel): boolean =>
    candidate.family === model.family && shortName(candidate) === shortName(model);
  const variant = loaded.find((candidate) => isSameVariant(candidate, model));
  const sibling = variant ?? loaded.find(isSibling);
  const word = typed.trim().toLowerCase();
  const isExact = model.version !== null && word === model.id.toLowerCase();
  // A name with a device means that variant, in whatever version.
  const isOther = word === model.name.toLowerCase() && sibling?.name !== model.name;
  const isMeant = !isExact && (!isOther || parseModelId(word).device === null);
  if (sibling !== undefined && isMeant) return sibling;
  if (sibling !== undefined && model.downloaded === false) {
    throw new FoundryError(
      "MODEL_NOT_CACHED",
      `${model.id} is not downloaded; the service loaded ${sibling.id} in its place.`,
      { action: "Download it, or use the one that is loaded." },
    );
  }
  if (sibling !== undefined) {
    const withoutDevice = sibling.device === model.device ? "" : ", and leave device out";
    throw new FoundryError(
      "UNSUPPORTED_BY_SERVER",
      `This service chooses the variant and the version of a model by itself: it loaded ${sibling.id} and not ${model.id}.`,
      { action: `Use ${sibling.id}, which is loaded now${withoutDevice}.` },
    );
  }
  return null;
}

const notListed = (model: KnownModel): FoundryError =>
  new FoundryError(
    "LOAD_FAILED",
    `The service said that ${model.id} was loaded, but does not list it among the loaded models.`,
    { action: "Try again; restart the service if it stays so.", retryable: true },
  );

/** Refuses what certainly cannot answer a completion, before anything is loaded for it. */
export function assertCanChat(model: KnownModel): void {
  if (model.task === null || canChat(model) !== false) return;
  throw new FoundryError(
    "MODEL_CANNOT_CHAT",
    `${model.id} is a model for ${model.task}, not for completions.`,
    { action: "Choose a model whose task is chat-completion from `listModels`." },
  );
}

/** What a list does not have may exist, where a warning says that the list is not whole. */
const ofListing = (error: FoundryError, { warning, models }: ModelListing): FoundryError =>
  error.code === "MODEL_NOT_FOUND" && warning !== null && models.length > 0
    ? error.reworded({ action: `${warning} ${error.action}` })
    : error;
