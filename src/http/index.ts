export { isLoopback } from "./endpoint.js";
export { errorTextOf } from "./error-text.js";
export { inSeconds } from "./failure.js";
export { HttpTransport } from "./transport.js";
export type * from "./types.js";
