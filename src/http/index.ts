export { redirectTarget } from "./answer-headers.js";
export { normalizeEndpoint } from "./endpoint.js";
export { errorTextOf, errorWordsOf } from "./error-text.js";
export { type ErrorWords, saysLoading, wordsOfError } from "./error-words.js";
export { eventsIn, jsonOf } from "./event-parser.js";
export { isRefused, retryAfterMsOf } from "./failure.js";
export { isBusy, pauseMs } from "./resilience.js";
export { HttpTransport } from "./transport.js";
export type * from "./types.js";
