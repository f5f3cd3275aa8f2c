export {
  COMPLETION_STATUSES,
  type Completion,
  type CompletionEvent,
  type CompletionStatus,
  type CompletionTiming,
  type CompletionUsage,
} from "./completion.js";
export { CompletionProgress, Metrics, type Totals } from "./progress.js";
/** @internal Keeps the schema library out of the published types. */
export {
  type CompletionRequest,
  checkPrompt,
  completionFields,
  completionRequestSchema,
  prepareMessages,
} from "./request.js";
export { ServiceCompletion } from "./service-completion.js";
