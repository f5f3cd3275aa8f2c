export { isLoopback, normalizeEndpoint } from "./endpoint.js";
export { errorTextOf, errorWordsOf } from "./error-text.js";
export { type ErrorWords, wordsOfError } from "./error-words.js";
export { isRefused } from "./failure.js";
export { redirectTarget } from "./redirect.js";
export { pauseMs } from "./resilience.js";
export { eventsIn } from "./sse.js";
export { HttpTransport } from "./transport.js";
export type * from "./types.js";
