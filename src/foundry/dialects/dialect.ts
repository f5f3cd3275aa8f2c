import type { RequestSpec } from "../../http/index.js";
import { FoundryError, type Trace } from "../../lib/index.js";
import type { Family, KnownModel, ListedModel, LoadedModel } from "../models/index.js";
import type { JsonSchema } from "../structured/index.js";
import type { CallPiece, ToolCall, ToolChoice, ToolDefinition } from "../tools/index.js";

/**
 * The servers there are, by the names of docs/foundry-local.md, section 1: `S` the service of the
 * old CLI, `C1` core 1.x, `C2` core 2.x, `openai` any OpenAI-compatible engine.
 */
export const DIALECT_NAMES = ["S", "C1", "C2", "openai"] as const;
export type DialectName = (typeof DIALECT_NAMES)[number];

/** The limits of one request. The trace of one that several callers share is that of the first. */
export type Call = Pick<RequestSpec, "limits" | "signal" | "trace" | "retry">;

/** The path of requests to a service, and what limits them. */
export type RequestPath = Pick<RequestSpec, "path" | "headLimitBytes">;

export interface ModelList {
  readonly models: readonly ListedModel[];
  /** What is missing from the list, and why; `null` where it is complete. */
  readonly warning: string | null;
  /** How many entries of the service's lists are not among `models`, because they are no models. */
  readonly leftOut: number;
  /** Set where the server has given no list, so that it may be no engine: the error for a list. */
  readonly missing?: FoundryError;
}

/** The status that the service reports, for a health check. `null`: not reported. */
export interface ServiceStatus {
  readonly pid: number | null;
  /** The folder of the models on the service's disk. */
  readonly modelCachePath: string | null;
}

export interface ChatMessage {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly content: string;
  /** Only of the role `user`, in the order of their places. */
  readonly images?: readonly MessageImage[] | undefined;
  /** Of the role `assistant`: the calls that the model made. */
  readonly toolCalls?: readonly MessageCall[] | undefined;
  /** Of the role `tool`: the call whose result it is. */
  readonly toolCallId?: string | undefined;
}

export interface MessageImage {
  /** Such as `image/png`. */
  readonly mimeType: string;
  /** Base64. */
  readonly data: string;
  /** Its place: the offset in the text of the message. */
  readonly at: number;
}

export type MessageCall = Omit<ToolCall, "error">;

export interface ChatRequest {
  readonly model: KnownModel;
  readonly messages: readonly ChatMessage[];
  readonly maxTokens: number;
  readonly temperature?: number | undefined;
  readonly topP?: number | undefined;
  readonly seed?: number | undefined;
  /** `off`: the model is asked to answer without thinking, where it has a switch. */
  readonly reasoning?: "off" | undefined;
  /** Tokens that the model may think. Sent where engines are known to hold a model to it. */
  readonly reasoningBudget?: number | undefined;
  /** Sent where the service can hold its answer to a JSON Schema. */
  readonly schema?: JsonSchema | undefined;
  /** A schema is not sent beside tools. */
  readonly tools?: readonly ToolDefinition[] | undefined;
  readonly toolChoice?: ToolChoice | undefined;
}

export type FinishReason = "stop" | "length" | "tool_calls" | "content_filter";

export interface TokenCounts {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** One event of a generation. */
export type ChatEvent =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  /** A part of a structured call. Only where the request has tools. */
  | { readonly type: "call"; readonly piece: CallPiece }
  /** `null`: the counts of the service are impossible. */
  | { readonly type: "usage"; readonly usage: TokenCounts | null }
  | { readonly type: "finish"; readonly reason: FinishReason }
  /** A finish_reason that is not one of the known ones. `said` is `null` where it is missing and should not be. */
  | { readonly type: "finish"; readonly reason: null; readonly said: string | null }
  /** What the caller should know of this answer, a sentence. */
  | { readonly type: "warning"; readonly warning: string }
  /** The answer is far longer than `max_tokens` allows. This is the last event. */
  | { readonly type: "overrun" };

export interface ChatStream extends AsyncIterable<ChatEvent> {
  /** How often the request was sent until its first token arrived. */
  readonly attempts: number;
  /** What the engine refused of the request, each a sentence. */
  readonly warnings: readonly string[];
  /** The service accepted the request with the schema, so that it holds the answer to it if it can. */
  readonly isConstrained: boolean;
  /** The schema was sent as the parameters of a tool that the model must call. */
  readonly isForcedCall: boolean;
}

export interface EmbedRequest {
  readonly model: KnownModel;
  readonly inputs: readonly string[];
}

export interface Embeddings {
  /** In the order of the inputs, all of one length. */
  readonly vectors: readonly (readonly number[])[];
  /** `null`: the service does not count them. */
  readonly inputTokens: number | null;
}

/** The differences between servers that the layers above must know. What few of them do is absent for no. */
export interface Abilities {
  /** A service of Foundry Local: its command line downloads and manages models for it. */
  readonly isFoundryLocal: boolean;
  /** The service of the old command line, which a newer installation may leave running. */
  readonly isOldGeneration?: boolean;
  /** It lists fewer variants when it was started on a fixed port (#1065). */
  readonly fixedPortNarrowsList?: boolean;
  /** Models can be loaded and unloaded, and the loaded ones listed. */
  readonly load: boolean;
  /** Its list contains only downloaded models, not the whole catalog. */
  readonly listsOnlyDownloaded?: boolean;
  /** Closing a stream stops the generation. `false`: it goes on. `null`: not known. */
  readonly stopsOnDisconnect: boolean | null;
  /** The result of unloading a model during a generation; `null`: not known. */
  readonly unloadInUse: "refused" | "kills_service" | null;
  /** Generations of one model that it runs at once; more wait in the queue of the client. */
  readonly generationsAtOnce: number;
  /** Lists of models wait for a running load. This is how another client's load is noticed. */
  readonly listsWaitForLoads: boolean;
  /** Which length in genai_config.json limits a request (docs/foundry-local.md, section 9). */
  readonly contextLimit: "max_length" | "context_length";
  /** Unloading can be forced on a model in use. */
  readonly forceUnload?: boolean;
  /** It gives images to models that take them. */
  readonly images: boolean;
  /** It leaves the thinking out of an answer, but not out of the count of its tokens. */
  readonly hidesThinking?: boolean;
}

/** Settings of a load that only some services have; `undefined`: the service's default. */
export interface LoadSettings {
  /** Seconds without use after which the service unloads the model by itself. */
  readonly idleSeconds?: number | undefined;
}

export interface DownloadCall {
  readonly signal: AbortSignal;
  readonly trace?: Trace | undefined;
  /** Longest silence without progress, in milliseconds. */
  readonly stallMs: number;
  /** Receives 0 to 100, never less than before; `null` while the service reports nothing. */
  readonly onPercent: (percent: number | null) => void;
}

/** The protocol of one kind of server. Methods throw `FoundryError`. */
export interface Dialect {
  readonly name: DialectName;
  /** For people: `Foundry Local core 2.1 or later`. */
  readonly title: string;
  /** As far as probing shows it, such as `2.1 or later`; `null`: not known. */
  readonly version: string | null;
  readonly can: Abilities;
  /** The cheapest request that shows that the service works. Answers while a model loads. */
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
  /** `force` only if `can.forceUnload`. */
  unload(model: KnownModel, call: Call, force?: boolean): Promise<"unloaded" | "not_loaded">;
  /** Resolves when the service reports that it has the model. Absent where it does not download over HTTP. */
  download?(model: KnownModel, call: DownloadCall): Promise<"downloaded" | "already_downloaded">;
  /** The tokens of a prompt by the service's own tokenizer. Absent where no service has the route. */
  countTokens?(request: Pick<ChatRequest, "model" | "messages">, call: Call): Promise<number>;
  /** Resolves with the first token: a failure before it can still be retried. */
  chat(request: ChatRequest, call: Call): Promise<ChatStream>;
  /** Only with a model that makes embeddings: core 2.x dies of any other. Absent where the service makes none. */
  embed?(request: EmbedRequest, call: Call): Promise<Embeddings>;
}

/** The error of a method that a dialect does not have. */
export function unsupported(reason: string, action: string): FoundryError {
  return new FoundryError("UNSUPPORTED_BY_SERVER", `Not possible here: ${reason}.`, {
    action,
  });
}
