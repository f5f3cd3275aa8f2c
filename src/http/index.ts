export { isLoopback, normalizeEndpoint } from "./endpoint.js";
export { errorTextOf } from "./error-text.js";
export { isRefused } from "./failure.js";
export { pauseMs } from "./resilience.js";
export { eventsIn } from "./sse.js";
export { HttpTransport } from "./transport.js";
export type * from "./types.js";
