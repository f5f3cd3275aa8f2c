export { listOf, refuse, replyWithin, replyWithinMs } from "./arguments.js";
export { batchInputOf } from "./batch-requests.js";
export {
  completionArguments,
  needsPrompt,
  requestOf,
  sharedSettings,
} from "./completion-arguments.js";
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
export { filesArgument, linesOf, readFiles } from "./given-files.js";
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
