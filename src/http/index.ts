export { errorTextOf, isHtml } from "./error-text.js";
export { parseRetryAfter, statusError } from "./failure.js";
export { HttpTransport } from "./transport.js";
export type * from "./types.js";
export { toJson } from "./wire-request.js";
