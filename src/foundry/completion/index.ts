export type { Admit, Wish } from "./admission.js";
export {
  COMPLETION_STATUSES,
  type Completion,
  type CompletionEvent,
  type CompletionStatus,
  type CompletionTiming,
  type CompletionUsage,
} from "./completion.js";
/** @internal For the client. */
export { prepareMessages } from "./messages.js";
/** @internal For the client. */
export { CompletionProgress } from "./progress.js";
export type { CompletionRequest } from "./request.js";
/** @internal Keeps the schema library out of the published types. */
export { completionFields, completionRequestSchema, promptProblem } from "./request-schema.js";
/** @internal For the client. */
export { runCompletion } from "./run.js";
export { CompletionStream } from "./stream.js";
