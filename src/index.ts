/**
 * A client for Microsoft Foundry Local, whichever of its servers answers.
 *
 * @example
 * import { FoundryClient } from "foundry-local-mcp";
 *
 * const client = new FoundryClient({ endpoint: "http://127.0.0.1:5273" });
 * for await (const event of client.streamComplete({ prompt: "Why is the sky blue?" })) {
 *   if (event.type === "text") process.stdout.write(event.text);
 * }
 * await client.close();
 *
 * @module
 */

export type {
  AnswerMethod,
  CallOptions,
  CircuitOptions,
  CircuitState,
  Completion,
  CompletionEvent,
  CompletionMessage,
  CompletionMessageCall,
  CompletionRequest,
  CompletionStatus,
  CompletionTiming,
  CompletionUsage,
  ContentPart,
  Device,
  DialectName,
  EmbedOptions,
  EmbedResult,
  Family,
  FinishReason,
  FoundBy,
  Health,
  HealthMemory,
  HealthProblem,
  JsonSchema,
  KnownModel,
  LoadOptions,
  LoadResult,
  ModelInfo,
  ModelListResult,
  Ranked,
  RankOptions,
  RankResult,
  ReasoningMode,
  RetryOptions,
  StandardSchema,
  StatusUpdate,
  ToolCall,
  ToolChoice,
  ToolDefinition,
  TypedBy,
  UnloadOptions,
  UnloadResult,
  Validated,
} from "./foundry/index.js";
export {
  type BatchResult,
  type CacheOption,
  type Cancelled,
  type ClientMetrics,
  type CompleteBatchOptions,
  type CompleteOptions,
  type CompletionChange,
  type CompletionState,
  type CompletionStream,
  Completions,
  FoundryClient,
  type FoundryClientOptions,
  type LoadFacts,
  type LoadRun,
  type LoadState,
  type LoadStatus,
  Loads,
  type LoadWaitOptions,
  type LoadWish,
  type Route,
  type Routes,
  type RunEvent,
  type RunnableTool,
  type RunRequest,
  type RunResult,
  type Started,
  type StartOptions,
  type TypedRequest,
  typedTool,
  type WaitOptions,
} from "./jobs/index.js";
export {
  ERROR_CODES,
  type ErrorCode,
  FoundryError,
  type FoundryErrorJson,
  type FoundryErrorOptions,
  type TimeoutPhase,
} from "./lib/errors.js";
export type { Distribution } from "./lib/histogram.js";
export type {
  HealthTotals,
  LastError,
  Operation,
  OperationMetrics,
  RecordedMetrics,
  Traffic,
} from "./lib/metrics-types.js";
export type { Trace } from "./lib/trace.js";
export type { Logger } from "./log.js";
