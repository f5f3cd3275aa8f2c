export { redirectTarget, retryAfterMsOf } from "./answer-headers.js";
export { normalizeEndpoint } from "./endpoint.js";
export {
  beginsAsJson,
  type ErrorWords,
  errorTextOf,
  errorWordsOf,
  saysLoading,
  wordsOfError,
} from "./error-text.js";
export { eventsIn, isDone, jsonOf } from "./event-parser.js";
export { isRefused } from "./failure.js";
export { isBusy, pauseMs } from "./resilience.js";
export { HttpTransport } from "./transport.js";
export type * from "./types.js";
