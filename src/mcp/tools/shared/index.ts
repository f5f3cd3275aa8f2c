export {
  completionArguments,
  filesArgument,
  listOf,
  needsPrompt,
  refuse,
  replyWithin,
  replyWithinMs,
  requestOf,
  sharedSettings,
} from "./arguments.js";
export { batchInputOf } from "./batch-requests.js";
export {
  answeredWhole,
  answerWith,
  completionResult,
  deliveryOf,
  errorOf,
  howFar,
  itemOf,
  itemResult,
  LONGEST_TEXT,
  listedResult,
  type Part,
  partOf,
  resultOf,
  textOf,
  wholeOf,
} from "./completion-result.js";
export { linesOf, readFiles } from "./given-files.js";
export { downloadAgreed, isDownloadAgreed, leaveLoad, orDownload } from "./loads.js";
export {
  adviceOnSeveral,
  type BatchPart,
  batchAdvice,
  batchProgress,
  batchText,
  goesOnLine,
  MOST_PENDING,
  severalText,
} from "./several.js";
export { reportEvent, reportState, waitedFor } from "./waiting.js";
