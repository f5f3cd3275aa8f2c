export { isLoopback, normalizeEndpoint } from "./endpoint.js";
export { errorTextOf } from "./error-text.js";
export { isRefused } from "./failure.js";
export { redirectTarget } from "./redirect.js";
export { pauseMs } from "./resilience.js";
export { HttpTransport } from "./transport.js";
export type * from "./types.js";
