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
  answerOf,
  completionResult,
  FINISH_REASONS,
  goesOnText,
  LONGEST_TEXT,
  nextFrom,
  notesOn,
  partOf,
  reportEvent,
  reportState,
  resultOf,
  severalText,
  wholeOf,
} from "./completion-result.js";
export {
  downloadAgreed,
  isDownloadAgreed,
  loadTaskId,
  orDownload,
} from "./download-question.js";
export { latestCompletion, latestOf, latestText } from "./latest-completions.js";
