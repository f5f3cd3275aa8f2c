export * from "./completion.js";
/** @internal For the client. */
export { type EndedCompletion, noteEnd } from "./ended-completion.js";
/** @internal For the client. */
export { modelFor } from "./model-choice.js";
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
