import { FoundryError } from "../../errors.js";
import type { PhaseLimits } from "../../http/index.js";
import type { Family, KnownModel } from "../models/index.js";

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

/** A model as a service lists it. */
export interface ListedModel {
  /** As listed; C1 leaves the version out. */
  readonly id: string;
  readonly alias: string | null;
  readonly family: Family;
  /** Whether being listed means being downloaded: on C1 it does, on C2 it says nothing. */
  readonly downloaded: boolean | null;
  readonly contextLength: number | null;
}

export interface LoadedModel {
  readonly id: string;
  readonly family: Family;
}

export interface ModelList {
  readonly models: readonly ListedModel[];
  /** What is missing from the list and why, where the service could not give it whole. */
  readonly warning: string | null;
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
  | { readonly type: "usage"; readonly usage: TokenCounts }
  | { readonly type: "finish"; readonly reason: FinishReason }
  /** It ended for a reason that is not among the known ones, in the service's word. */
  | { readonly type: "finish"; readonly reason: null; readonly said: string };

export interface ChatStream extends AsyncIterable<ChatEvent> {
  /** How often the request was sent until its first token came. */
  readonly attempts: number;
}

/** What differs between servers and matters above the dialect. Declared, not found out by failing. */
export interface Abilities {
  /** Models can be loaded and unloaded, and the loaded ones listed. */
  readonly load: boolean;
  /** Its list is what is downloaded, not the whole catalog. */
  readonly listsOnlyDownloaded: boolean;
  /** Closing a stream stops the generation; where it is `false`, the device works on. */
  readonly stopsOnDisconnect: boolean | null;
  /** Unloading a model under a running generation is refused; where `false`, it kills the service. */
  readonly refusesUnloadInUse: boolean;
  /** Lists of models wait for a running load, which is how a load of somebody else is noticed. */
  readonly listsWaitForLoads: boolean;
  /** Which length in genai_config.json limits a request (docs/foundry-local.md, section 9). */
  readonly contextLimit: "max_length" | "context_length";
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
  /** `null` where the server does not tell. */
  loadedModels(call: Call): Promise<readonly LoadedModel[] | null>;
  /** Returns when the model is in memory. `typed` is what the user asked for. */
  load(model: KnownModel, typed: string, call: Call): Promise<"loaded" | "already_loaded">;
  unload(model: KnownModel, call: Call): Promise<"unloaded" | "not_loaded">;
  /** Resolves with the first token, so that what comes before it could still be retried. */
  chat(request: ChatRequest, call: Call): Promise<ChatStream>;
}

/** The error of a method that a dialect declares it does not have. */
export function unsupported(reason: string, instead: string): FoundryError {
  return new FoundryError("UNSUPPORTED_BY_SERVER", `Not possible here: ${reason}.`, {
    action: `Call ${instead} directly.`,
  });
}
