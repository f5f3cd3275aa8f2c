import type { PhaseLimits } from "../../http/index.js";
import { FoundryError } from "../../lib/index.js";
import type { Family, KnownModel, ListedModel, LoadedModel } from "../models/index.js";

/**
 * The servers there are, by the names of docs/foundry-local.md, section 1: `S` the service of the
 * old CLI, `C1` core 1.x, `C2` core 2.x, `openai` any OpenAI-compatible engine.
 */
export const DIALECT_NAMES = ["S", "C1", "C2", "openai"] as const;
export type DialectName = (typeof DIALECT_NAMES)[number];

/** What a caller grants one request: how long, and until when. */
export interface Call {
  readonly limits: PhaseLimits;
  readonly signal?: AbortSignal;
  /** `false`: sent once, past the circuit breaker. For questions about health. Default `true`. */
  readonly retry?: boolean;
}

export interface ModelList {
  readonly models: readonly ListedModel[];
  /** What is missing from the list and why, where the service could not give it whole. */
  readonly warning: string | null;
  /** How many entries of the service's lists are not among `models`, because they are no models. */
  readonly leftOut: number;
}

/** What the service tells about itself, for a health check. `null` is what it does not tell. */
export interface ServiceStatus {
  readonly pid: number | null;
  /** Where the models lie on the service's disk. */
  readonly modelCachePath: string | null;
}

export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

export interface ChatRequest {
  readonly model: KnownModel;
  readonly messages: readonly ChatMessage[];
  readonly maxTokens: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly seed?: number;
}

export type FinishReason = "stop" | "length" | "tool_calls" | "content_filter";

export interface TokenCounts {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** One piece of news of a generation. */
export type ChatEvent =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  /** `null`: what the service counted cannot be. */
  | { readonly type: "usage"; readonly usage: TokenCounts | null }
  | { readonly type: "finish"; readonly reason: FinishReason }
  /** It ended for a reason that is not among the known ones, in the service's word. */
  | { readonly type: "finish"; readonly reason: null; readonly said: string }
  /** The service went on far above `max_tokens`; nothing comes after it. */
  | { readonly type: "overrun" };

export interface ChatStream extends AsyncIterable<ChatEvent> {
  /** How often the request was sent until its first token came. */
  readonly attempts: number;
}

/** What differs between servers and matters above the dialect. Declared, not found out by failing. */
export interface Abilities {
  /** A service of Foundry Local: its command line downloads and manages models for it. */
  readonly isFoundryLocal: boolean;
  /** The service of the old command line, which a newer installation may leave running. */
  readonly isOldGeneration: boolean;
  /** It lists fewer variants when it was started on a fixed port (#1065). */
  readonly fixedPortNarrowsList: boolean;
  /** Models can be loaded and unloaded, and the loaded ones listed. */
  readonly load: boolean;
  /** Its list is what is downloaded, not the whole catalog. */
  readonly listsOnlyDownloaded: boolean;
  /** Closing a stream stops the generation; where it is `false`, the device works on. */
  readonly stopsOnDisconnect: boolean | null;
  /** What comes of unloading a model under a running generation; `null`: not known. */
  readonly unloadInUse: "refused" | "kills_service" | null;
  /** Lists of models wait for a running load, which is how a load of somebody else is noticed. */
  readonly listsWaitForLoads: boolean;
  /** Which length in genai_config.json limits a request (docs/foundry-local.md, section 9). */
  readonly contextLimit: "max_length" | "context_length";
  /** It downloads models over HTTP; elsewhere the command line does. */
  readonly download: boolean;
  /** Unloading can be forced on a model in use. */
  readonly forceUnload: boolean;
}

/** What only some services heed when they load; `undefined` leaves it to them. */
export interface LoadSettings {
  /** Seconds without use after which the service unloads the model by itself. */
  readonly idleSeconds?: number | undefined;
}

export interface DownloadCall {
  readonly signal: AbortSignal;
  /** Longest silence without progress, in milliseconds. */
  readonly stallMs: number;
  /** Told 0 to 100, never less than before; `null` while nothing is told. */
  readonly onPercent: (percent: number | null) => void;
}

/** One way of speaking to a server. Methods throw `FoundryError`. */
export interface Dialect {
  readonly name: DialectName;
  /** For people: `Foundry Local core 2.1 or later`. */
  readonly title: string;
  /** As far as it could be told by probing, such as `2.1 or later`; `null` where nothing tells. */
  readonly version: string | null;
  readonly can: Abilities;
  /** The cheapest question that proves that the service lives; answers while a model loads. */
  status(call: Call): Promise<ServiceStatus>;
  listModels(call: Call): Promise<ModelList>;
  /**
   * `null` where the server does not say.
   *
   * @param families Which to ask for, where each has its own route. Default: all.
   */
  loadedModels(call: Call, families?: readonly Family[]): Promise<readonly LoadedModel[] | null>;
  /**
   * Resolves when the model is in memory.
   *
   * @param model Its `loaded` is `false` only where the service has just said so.
   * @param typed What the user asked for.
   */
  load(
    model: KnownModel,
    typed: string,
    call: Call,
    settings?: LoadSettings,
  ): Promise<"loaded" | "already_loaded">;
  /** `force` only where it can be forced. */
  unload(model: KnownModel, call: Call, force?: boolean): Promise<"unloaded" | "not_loaded">;
  /** Only where it downloads over HTTP. Resolves when the service says that it has the model. */
  download(model: KnownModel, call: DownloadCall): Promise<void>;
  /** Resolves with the first token, so that what comes before it could still be retried. */
  chat(request: ChatRequest, call: Call): Promise<ChatStream>;
}

/** `download` of a dialect that does not. Whoever calls looks at `can` first. */
export async function noDownload(): Promise<never> {
  throw unsupported("this service does not download models over HTTP", "Call load_model directly.");
}

/** The error of a method that a dialect declares it does not have. */
export function unsupported(reason: string, action: string): FoundryError {
  return new FoundryError("UNSUPPORTED_BY_SERVER", `Not possible here: ${reason}.`, {
    action,
  });
}
