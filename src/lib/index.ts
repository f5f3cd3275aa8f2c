/** @internal Keeps the schema library out of the published types. */
export * from "./arguments.js";
export * from "./async.js";
export * from "./errors.js";
export type { Distribution, Histogram } from "./histogram.js";
export * from "./image-type.js";
export * from "./json.js";
export * from "./limits.js";
export { type Calls, MetricsRecorder, type OpenCall } from "./metrics.js";
export type * from "./metrics-types.js";
export * from "./package-folder.js";
export * from "./recent-map.js";
/** @internal Its types are those of zod, which the package does not show. */
export * from "./request-settings.js";
export * from "./secrets.js";
export * from "./setting-values.js";
export * from "./shared-task.js";
export * from "./text.js";
export * from "./trace.js";
export * from "./version.js";
export * from "./within-time.js";
