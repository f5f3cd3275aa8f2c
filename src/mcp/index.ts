export { type Backend, closeBackend, type Publication } from "./backend.js";
export type { ProgressUpdate } from "./progress-reporter.js";
export { type ServeOptions, serveOverStdio } from "./server.js";
export { type HttpServeOptions, type HttpServing, serveOverHttp } from "./streamable-http/index.js";
