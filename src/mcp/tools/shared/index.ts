export { batchInputOf } from "./batch-requests.js";
export {
  type BatchPart,
  batchNotes,
  batchProgress,
  batchText,
  batchWarnings,
} from "./batch-words.js";
export { completionArguments, requestOf, sharedSettings } from "./completion-arguments.js";
export {
  completionResult,
  FINISH_REASONS,
  LONGEST_TEXT,
  nextFrom,
  partOf,
  resultOf,
  wholeOf,
} from "./completion-result.js";
export {
  answerOf,
  goesOnText,
  notesOn,
  reportEvent,
  reportState,
  severalText,
} from "./completion-words.js";
export { latestCompletion, latestOf, latestText } from "./latest-completions.js";
