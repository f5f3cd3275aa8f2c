export type { CallPolicy } from "./call-policy.js";
export type { ProgressUpdate } from "./progress-reporter.js";
export { type Backend, closeBackend, type Publication } from "./request-handler.js";
export { type ServeOptions, serveOverStdio } from "./server.js";
export { type HttpServeOptions, type HttpServing, serveOverHttp } from "./streamable-http/index.js";
