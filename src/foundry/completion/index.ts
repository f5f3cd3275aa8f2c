export {
  COMPLETION_STATUSES,
  type Completion,
  type CompletionEvent,
  type CompletionRequest,
  type CompletionStatus,
  type CompletionTiming,
  type CompletionUsage,
} from "./completion.js";
export { CompletionProgress, Metrics, type Totals } from "./progress.js";
/** @internal Keeps the schema library out of the published types. */
export {
  checkPrompt,
  completionFields,
  completionRequestSchema,
  prepareMessages,
} from "./request.js";
export { ServiceCompletion } from "./service-completion.js";
