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
export { ERROR_CODES, type ErrorCode, FoundryError, type TimeoutPhase } from "./errors.js";
export {
  type CallOptions,
  type Completion,
  type CompletionEvent,
  type CompletionRequest,
  type CompletionStatus,
  type CompletionStream,
  type CompletionTiming,
  type CompletionUsage,
  type Device,
  type DialectName,
  type FinishReason,
  type FoundBy,
  FoundryClient,
  type FoundryClientOptions,
  type Health,
  type HealthMemory,
  type HealthProblem,
  type LoadOptions,
  type LoadResult,
  type ModelInfo,
  type ModelListResult,
  type News,
  type UnloadOptions,
  type UnloadResult,
} from "./foundry/index.js";
export type { Logger } from "./log.js";
