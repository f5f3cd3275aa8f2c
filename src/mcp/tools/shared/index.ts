export { batchInputOf } from "./batch-requests.js";
export {
  type BatchPart,
  batchAdvice,
  batchProgress,
  batchText,
  MOST_PENDING,
} from "./batch-words.js";
export {
  completionArguments,
  needsPrompt,
  requestOf,
  sharedSettings,
} from "./completion-arguments.js";
export {
  answerWith,
  completionResult,
  deliveryOf,
  errorOf,
  itemOf,
  itemResult,
  LONGEST_TEXT,
  listedResult,
  partOf,
  reportEvent,
  reportState,
  resultOf,
  textOf,
  wholeOf,
} from "./completion-result.js";
export {
  downloadAgreed,
  isDownloadAgreed,
  orDownload,
} from "./download-question.js";
export { filesArgument, GivenFiles, linesOf } from "./given-files.js";
export { latestNext, latestOf, latestText } from "./latest-completions.js";
export { leaveLoad } from "./left-load.js";
export { adviceOnSeveral, goesOnLine, type Part, severalText } from "./several.js";
export { waitedFor } from "./waited-for.js";
export { writeToArgument, writtenAnswer } from "./written-answer.js";
