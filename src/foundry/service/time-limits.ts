import { FoundryError, formatDuration, toFoundryError } from "../../lib/index.js";
import type { Dialect } from "../dialects/index.js";

/** What to say of a time limit that passed, by what was waited for. */
interface Wording {
  readonly message: string;
  readonly action: string;
  readonly retryable: boolean;
}

/** A load that took longer than its limit. The service continues it, so calling again can help. */
export const loadTimeout = (model: string, limitMs: number): Wording => ({
  message: `${model} was not loaded within ${formatDuration(limitMs)}; the service goes on loading it.`,
  action:
    "Call `loadModel` again to wait on. Where loads take that long, raise the option `loadTimeoutMs`, or choose a smaller model.",
  retryable: true,
});

/** A request that should have been answered at once. */
const quickTimeout = (endpoint: string, limitMs: number): Wording => ({
  message: `${endpoint} accepted the request but did not answer within ${formatDuration(limitMs)}.`,
  action:
    "The service may be busy or stuck: try again, and restart it if that does not help. If it is only slow, raise the option `timeoutMs`.",
  retryable: true,
});

/** A generation that sends no token any more, before or after its first one. */
export const stallTimeout = (model: string, limitMs: number, hasText: boolean): Wording => ({
  message: `${model} gave no ${hasText ? "further" : "first"} token within ${formatDuration(limitMs)}.`,
  action:
    "The service may still be generating. Ask for less (a shorter prompt, fewer `maxTokens`), raise the option `stallTimeoutMs`, or check `healthCheck`.",
  retryable: false,
});

/** A time limit of a request in the words of what it was for; other errors as they are. */
export function worded(error: FoundryError, wording: () => Wording): FoundryError {
  // A limit on connecting is about the service, and its message says so already.
  if (error.code !== "TIMEOUT" || error.phase === "connect" || error.phase === null) return error;
  return error.reworded(wording());
}

/** Runs requests that should be answered at once, with one time limit for all of them together. */
export async function withinQuickLimits<T>(
  endpoint: string,
  totalMs: number,
  work: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  // It takes whole milliseconds only, and 16.1 * 1000 is 16100.000000000002.
  const total = AbortSignal.timeout(Math.ceil(totalMs));
  try {
    return await work(signal === undefined ? total : AbortSignal.any([signal, total]));
  } catch (thrown) {
    const error = toFoundryError(thrown);
    const isTimeout = error.code === "CANCELLED" && total.aborted && signal?.aborted !== true;
    if (!isTimeout) throw worded(error, () => quickTimeout(endpoint, totalMs));
    const { message, ...options } = quickTimeout(endpoint, totalMs);
    throw new FoundryError("TIMEOUT", message, { ...options, phase: "whole" });
  }
}

/** Whether an error can be the sign of a load that another client started. */
export const isBlockedByLoad = ({ can }: Dialect, thrown: unknown): boolean =>
  can.listsWaitForLoads &&
  thrown instanceof FoundryError &&
  thrown.code === "TIMEOUT" &&
  thrown.phase !== "connect";

/** The error of a request that such a load delays for too long. */
export const serviceBusyError = (cause: unknown): FoundryError =>
  new FoundryError("SERVICE_BUSY", "The service is busy, probably loading a model.", {
    action: "Try again when it is loaded; `healthCheck` shows that.",
    retryable: true,
    cause,
  });
