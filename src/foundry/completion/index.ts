export type { Admit, Wish } from "./admission.js";
export {
  COMPLETION_STATUSES,
  type Completion,
  type CompletionEvent,
  type CompletionStatus,
  type CompletionTiming,
  type CompletionUsage,
} from "./completion.js";
export { prepareMessages } from "./messages.js";
export { CompletionProgress } from "./progress.js";
export type { CompletionRequest } from "./request.js";
/** @internal Keeps the schema library out of the published types. */
export { completionFields, completionRequestSchema, promptProblem } from "./request-schema.js";
export { runCompletion } from "./run.js";
export { CompletionStream } from "./stream.js";
