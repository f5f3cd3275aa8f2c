import { setTimeout } from "node:timers/promises";
import { cancelledError, FoundryError, toFoundryError } from "../../lib/index.js";
import type { LoadSettings } from "../dialects/index.js";
import {
  canChat,
  chooseDefaultModel,
  type Device,
  findModel,
  type KnownModel,
  modelKey,
  nearestNames,
  resolveModel,
  shortName,
} from "../models/index.js";
import { loadTimeout, type Service, worded } from "../service/index.js";
import type { OnStatus, StatusUpdate } from "../status.js";
import { AbandonedLoads } from "./abandoned-loads.js";
import { CapacityCheck, warningsOf } from "./capacity-check.js";
import { SerialLoads } from "./serial-loads.js";
import { SharedLoad } from "./shared-load.js";

/** How long an unload waits for a generation that was left, in milliseconds. */
const LONGEST_REST_MS = 15_000;

export interface LoadOutcome {
  /** The model that is in memory now: where a version was left open, the one the service chose. */
  readonly model: KnownModel;
  readonly status: "loaded" | "already_loaded";
  /** What was tight, each a sentence. */
  readonly warnings: readonly string[];
}

export interface LoadAsking extends LoadSettings {
  /** Load it although by the figures it does not fit into memory. */
  readonly force?: boolean | undefined;
  /** Told that it waits for another load, and when its own begins. */
  readonly tell?: OnStatus | undefined;
}

export interface Wanted {
  readonly model: KnownModel;
  /** What the caller typed; the id where nobody typed anything. */
  readonly typed: string;
  /** Why it is this model, where the choice was not the caller's. */
  readonly reason: string | null;
}

/**
 * Which model is meant, and getting it into memory, one after the other. A load is shared by all who
 * want the same model, and goes on when they give up: no service stops a load that it has begun
 * (docs/foundry-local.md, section 3).
 */
export class ModelLoader {
  readonly #service: Service;
  readonly #defaultModel: string | undefined;
  readonly #room: CapacityCheck;
  readonly #turns = new SerialLoads();
  readonly #left: AbandonedLoads;
  readonly #loads = new Map<string, SharedLoad<LoadOutcome>>();

  constructor(
    service: Service,
    defaultModel: string | undefined,
    room = new CapacityCheck(service),
  ) {
    this.#service = service;
    this.#defaultModel = defaultModel;
    this.#room = room;
    this.#left = new AbandonedLoads(service);
  }

  /** Whether a load of ours is running. */
  get isLoading(): boolean {
    return this.#loads.size > 0;
  }

  /** The model that a name stands for, or the default; a name that is not found is looked up afresh. */
  async want(
    typed: string | undefined,
    signal?: AbortSignal,
    device?: Device,
    tell?: OnStatus,
  ): Promise<Wanted> {
    if (tell !== undefined) await this.#tellOfWaiting(tell, signal);
    const name = typed ?? this.#defaultModel;
    const choose = (models: readonly KnownModel[]): Wanted => {
      if (name !== undefined) {
        const model = resolveModel(name, models, device);
        // Who asks for a device means that variant, not whichever one the service prefers.
        return { model, typed: device === undefined ? name : model.id, reason: null };
      }
      const { model, reason } = chooseDefaultModel(models);
      return { model, typed: model.id, reason };
    };
    try {
      return choose((await this.#service.recentModels(signal)).models);
    } catch (error) {
      if (!(error instanceof FoundryError) || !error.code.startsWith("MODEL_")) throw error;
    }
    const { models } = await this.#service.listModels(this.#service.patient(signal));
    const problem = typed === undefined ? this.defaultProblem(models) : null;
    if (problem !== null) throw problem;
    return choose(models);
  }

  /** What is wrong with the default model that was set, by the service's list; `null` if nothing. */
  defaultProblem(models: readonly KnownModel[]): FoundryError | null {
    const name = this.#defaultModel;
    if (name === undefined) return null;
    const model = findModel(name, models);
    if (model === undefined) {
      return new FoundryError(
        "MODEL_NOT_FOUND",
        `The default model that is set, "${name}", is not among the service's models.`,
        {
          action: `Set FOUNDRY_MODEL to one that is there${nearest(name, models)}, or name a model in the call.`,
        },
      );
    }
    if (model.task !== null && canChat(model) === false) {
      return new FoundryError(
        "MODEL_CANNOT_CHAT",
        `The default model that is set, "${name}", is for ${model.task}, not for completions.`,
        { action: "Set FOUNDRY_MODEL to a model that can chat, or name one in the call." },
      );
    }
    if (model.downloaded !== false) return null;
    return new FoundryError(
      "MODEL_NOT_CACHED",
      `The default model that is set, "${name}", is not downloaded.`,
      {
        action: `Download it, with load_model and download: true or with \`foundry model download ${shortName(model)}\`, or set FOUNDRY_MODEL to a downloaded one.`,
      },
    );
  }

  /**
   * Loads a model unless it is loaded, when all loads before it have ended.
   *
   * @throws FoundryError `MODEL_NOT_CACHED`, `INSUFFICIENT_MEMORY`, `LOAD_FAILED`, `EP_UNAVAILABLE`,
   *   `TIMEOUT` …
   */
  async load(
    { model, typed }: Wanted,
    signal?: AbortSignal,
    { force, tell, ...settings }: LoadAsking = {},
  ): Promise<LoadOutcome> {
    const key = modelKey(model);
    let load = this.#loads.get(key);
    if (load === undefined) {
      const begun = new SharedLoad<LoadOutcome>((shared) =>
        this.#inTurn(model, typed, settings, shared),
      );
      const forget = (): void => {
        if (this.#loads.get(key) === begun) this.#loads.delete(key);
      };
      begun.outcome.then(forget, forget);
      begun.signal.addEventListener("abort", forget, { once: true });
      this.#loads.set(key, begun);
      load = begun;
    }
    if (force === true) load.isForced = true;
    return load.join(signal, tell);
  }

  /**
   * Takes a model out of memory. Where the service would die of unloading a model in use, ours is
   * refused, and one whose reader has just left is waited for; of other clients nothing is known.
   *
   * @throws FoundryError `MODEL_BUSY`, also from services that refuse by themselves.
   */
  async unload(
    model: KnownModel,
    signal?: AbortSignal,
    force = false,
  ): Promise<"unloaded" | "not_loaded"> {
    const service = this.#service;
    const dialect = await service.dialect(signal);
    const isForced = force && dialect.can.forceUnload;
    if (force && !isForced) {
      return this.unload(model, signal).catch((thrown: unknown) => {
        throw inVain(toFoundryError(thrown));
      });
    }
    const { unloadInUse } = dialect.can;
    // Where it is not known, our own completions would be the ones to break.
    if (unloadInUse !== "refused" && !isForced) {
      const consequence = unloadInUse === null ? MAY_BREAK : KILLS;
      await this.#restOf(model, consequence, signal);
      const running = service.uses.running(model);
      if (running > 0) throw inUse(model, running, consequence);
    }
    try {
      // A completion that begins now would begin on a model that is being taken away.
      return await service.uses.reserve(model, () =>
        dialect.unload(model, service.patient(signal), isForced),
      );
    } finally {
      service.forgetModels();
    }
  }

  /** Waits until no generation that was left can be running on a model any more. */
  async #restOf(
    model: KnownModel,
    consequence: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { uses } = this.#service;
    const until = performance.now() + LONGEST_REST_MS;
    // Another one may be left in the meantime.
    for (let ms = uses.restMs(model); ms > 0; ms = uses.restMs(model)) {
      if (performance.now() + ms > until) throw mayBeInUse(model, ms, consequence);
      try {
        await setTimeout(ms, undefined, signal === undefined ? {} : { signal });
      } catch {
        throw cancelledError();
      }
    }
  }

  /** Where lists wait for loads, a load of ours is what a name that is looked up now waits for. */
  async #tellOfWaiting(tell: OnStatus, signal: AbortSignal | undefined): Promise<void> {
    const { loading } = this.#turns;
    if (loading === null || this.#service.hasRecentModels) return;
    const { can } = await this.#service.dialect(signal);
    if (can.listsWaitForLoads) tell(waitingFor(loading));
  }

  #inTurn(
    model: KnownModel,
    typed: string,
    settings: LoadSettings,
    shared: SharedLoad<LoadOutcome>,
  ): Promise<LoadOutcome> {
    const wait = (before: string): void => shared.tell(waitingFor(before));
    return this.#turns.take(model.id, shared.signal, wait, async () => {
      shared.tell({ step: "loading", message: `Loading ${model.id}`, percent: null });
      return this.#load(model, typed, settings, shared);
    });
  }

  async #load(
    model: KnownModel,
    typed: string,
    settings: LoadSettings,
    shared: SharedLoad<LoadOutcome>,
  ): Promise<LoadOutcome> {
    const service = this.#service;
    const dialect = await service.dialect();
    try {
      if (this.#left.has(model)) await this.#left.ended(model, dialect, shared.signal);
      const warnings = dialect.can.load ? await this.#roomFor(model, shared) : [];
      shared.begin();
      for (let isAgain = false; ; isAgain = true) {
        const status = await dialect.load(model, typed, service.patient(), settings);
        const { models } = await service.listModels(service.patient());
        const loaded = loadedAs(model, typed, models);
        if (loaded !== null) return { model: loaded, status, warnings };
        // Between the two the service may have been restarted, or somebody else unloaded it.
        if (isAgain) throw notListed(model);
      }
    } catch (thrown) {
      const error = worded(toFoundryError(thrown), () =>
        loadTimeout(model.id, service.loadTimeoutMs),
      );
      if (error.code === "TIMEOUT" && error.phase !== "connect") this.#left.note(model);
      throw error;
    } finally {
      service.forgetModels();
    }
  }

  /** What is tight. @throws FoundryError `INSUFFICIENT_MEMORY` */
  async #roomFor(model: KnownModel, shared: SharedLoad<LoadOutcome>): Promise<string[]> {
    if (model.loaded === true) return [];
    const room = await this.#room.forLoad(model);
    if (room.refusal !== null) {
      // Since the list that the model is from, it may have been loaded: then it has its room already.
      const { models } = await this.#service.listModels(this.#service.patient());
      const now = models.find(({ id, family }) => id === model.id && family === model.family);
      if (now?.loaded === true) return [];
    }
    return warningsOf(room, shared.isForced);
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
  const exact = loaded.find(({ id, family }) => id === model.id && family === model.family);
  if (exact !== undefined) return exact;
  const isSibling = (candidate: KnownModel): boolean =>
    candidate.family === model.family && shortName(candidate) === shortName(model);
  const sibling = loaded.find(isSibling);
  const isExact = model.version !== null && typed.toLowerCase() === model.id.toLowerCase();
  if (sibling !== undefined && !isExact) return sibling;
  if (sibling !== undefined) {
    throw new FoundryError(
      "UNSUPPORTED_BY_SERVER",
      `The service loads ${sibling.id} whenever ${model.name} is asked for; ${model.id} cannot be loaded over HTTP.`,
      { action: `Use ${sibling.id}, which is loaded now.` },
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

const KILLS = "this version of Foundry Local dies of that";
const MAY_BREAK = "it might be broken off";

function inUse(model: KnownModel, running: number, consequence: string): FoundryError {
  const completions = running === 1 ? "a completion is" : `${running} completions are`;
  return new FoundryError(
    "MODEL_BUSY",
    `${model.id} was not unloaded: ${completions} running on it, and ${consequence}.`,
    {
      action: `Wait until ${running === 1 ? "it has ended, or cancel it" : "they have ended, or cancel them"}, then try again.`,
      retryable: true,
    },
  );
}

/** The same refusal for somebody who asked for force where there is none. */
function inVain(error: FoundryError): FoundryError {
  if (error.code !== "MODEL_BUSY") return error;
  const { code, message, action, retryable, status, retryAfterMs, detail } = error;
  const said = new FoundryError(code, message, {
    action: `${action} force does nothing on this service.`,
    retryable,
    ...(status === null ? {} : { status }),
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
    ...(detail === null ? {} : { detail }),
    cause: error,
  });
  said.attempts = error.attempts;
  return said;
}

function mayBeInUse(model: KnownModel, restMs: number, consequence: string): FoundryError {
  const seconds = Math.ceil(restMs / 1000);
  return new FoundryError(
    "MODEL_BUSY",
    `${model.id} was not unloaded: a slow completion on it was cancelled a moment ago and may still run, and ${consequence}.`,
    { action: `Try again in ${seconds} s.`, retryable: true, retryAfterMs: restMs },
  );
}

/** Refuses what certainly cannot answer a completion, before anything is loaded for it. */
export function assertCanChat(model: KnownModel): void {
  if (model.task === null || canChat(model) !== false) return;
  throw new FoundryError(
    "MODEL_CANNOT_CHAT",
    `${model.id} is a model for ${model.task}, not for completions.`,
    { action: "Choose a model whose task is chat-completion from list_models." },
  );
}
