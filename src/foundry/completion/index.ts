/** @internal For the cache of `jobs`. */
export type { AnswerDetails, StoredAnswer } from "./completion.js";
export {
  ANSWER_METHODS,
  type AnswerMethod,
  COMPLETION_STATUSES,
  type Completion,
  type CompletionEvent,
  type CompletionMessage,
  type CompletionMessageCall,
  type CompletionRequest,
  type CompletionStatus,
  type CompletionTiming,
  type CompletionUsage,
  type ContentPart,
  type ReasoningMode,
} from "./completion.js";
/** @internal For the client. */
export { type EndedCompletion, noteEnd } from "./ended-completion.js";
/** @internal For the client. */
export { modelFor } from "./model-for.js";
/** @internal For the client. */
export { CompletionProgress } from "./progress.js";
/** @internal Keeps the schema library out of the published types. */
export {
  checkPrompt,
  completionFields,
  completionRequestSchema,
  prepareMessages,
} from "./request.js";
/** @internal For the client. */
export { ServiceCompletion } from "./service-completion.js";
