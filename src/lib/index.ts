/** @internal Keeps the schema library out of the published types. */
export { meantName, type OtherNames, parseArguments, quoted } from "./arguments.js";
export {
  deferred,
  type JoinedSignal,
  joinedSignal,
  Lazy,
  MAX_TIMER_MS,
  onAbort,
  TIMED_OUT,
  untilAborted,
  waitFor,
} from "./async.js";
export {
  abortedError,
  cancelledError,
  closedError,
  ERROR_CODES,
  type ErrorCode,
  endedError,
  FoundryError,
  type FoundryErrorOptions,
  isAbortOf,
  isCancellation,
  systemCodeOf,
  type TimeoutPhase,
  throwIfAborted,
  toFoundryError,
} from "./errors.js";
export type { Distribution, Histogram } from "./histogram.js";
export { type ImageType, imageTypeOf } from "./image-type.js";
export {
  answerFrom,
  hasMoreValues,
  inSnakeCase,
  isMembers,
  jsonFrom,
  membersKey,
  referredTo,
  withoutDepths,
} from "./json.js";
export * from "./limits.js";
export { type Calls, MetricsRecorder, type OpenCall } from "./metrics.js";
export type {
  AnswerFigures,
  EndedCall,
  Failing,
  HealthTotals,
  LastError,
  Operation,
  OperationMetrics,
  Outcome,
  RecordedMetrics,
  Traffic,
  TrafficCounts,
} from "./metrics-types.js";
export { RecentMap } from "./recent-map.js";
/** @internal Its types are those of zod, which the package does not show. */
export { nonEmptyText, requestSettings, wholeNumber } from "./request-settings.js";
export { SecretMask } from "./secrets.js";
export {
  type Bounds,
  basicAuthorization,
  ENDPOINT_ALLOWED,
  endpointFault,
  isLoopback,
  LOG_LEVELS,
  type LogLevel,
  SECONDS,
  WHOLE_NUMBERS,
  withoutCredentials,
} from "./setting-values.js";
export { SharedTask, SharedTasks } from "./shared-task.js";
export {
  counted,
  escapeRegExp,
  escapeUnprintable,
  formatDuration,
  formatMegabytes,
  formatWait,
  overlap,
  portableJson,
  printable,
  truncate,
  wellFormedJson,
  withoutAnsi,
  withoutControls,
} from "./text.js";
export {
  type MeteredTrace,
  type Trace,
  traceFields,
  traceHeaders,
  traceIdsOf,
  withCallId,
} from "./trace.js";
export { PACKAGE_FOLDER, VERSION } from "./version.js";
export { withinTime } from "./within-time.js";
