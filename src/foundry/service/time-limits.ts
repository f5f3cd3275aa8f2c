import { FoundryError, formatDuration } from "../../lib/index.js";

/** What to say of a time limit that passed, by what was waited for. */
interface Wording {
  readonly message: string;
  readonly action: string;
  readonly retryable: boolean;
}

/** A load that took longer than its limit. It goes on without us, so that asking again can help. */
export const loadTimeout = (model: string, limitMs: number): Wording => ({
  message: `${model} was not loaded within ${formatDuration(limitMs)}; the service goes on loading it.`,
  action:
    "Call load_model again to wait on. Where loads take that long, raise FOUNDRY_LOAD_TIMEOUT, or choose a smaller model.",
  retryable: true,
});

/** A question that should have been answered at once. */
export const quickTimeout = (endpoint: string, limitMs: number): Wording => ({
  message: `${endpoint} took the question but did not answer within ${formatDuration(limitMs)}.`,
  action:
    "The service may be busy or stuck: try again, and restart it if that does not help. Where it is merely slow, raise FOUNDRY_TIMEOUT.",
  retryable: true,
});

/** A generation that fell silent, before or after its first token. */
export const stallTimeout = (model: string, limitMs: number, hasText: boolean): Wording => ({
  message: `${model} gave no ${hasText ? "further" : "first"} token within ${formatDuration(limitMs)}.`,
  action:
    "The service may still be at it. Ask for less (a shorter prompt, fewer max_tokens), raise FOUNDRY_STALL_TIMEOUT, or check health_check.",
  retryable: false,
});

/** The error of a limit over several requests, as opposed to one of them. */
export const timeoutOf = ({ message, ...options }: Wording): FoundryError =>
  new FoundryError("TIMEOUT", message, { ...options, phase: "whole" });

/** A time limit of a request in the words of what it meant; other errors as they are. */
export function worded(error: FoundryError, wording: () => Wording): FoundryError {
  // While connecting nothing was sent: that is about the service, and says so already.
  if (error.code !== "TIMEOUT" || error.phase === "connect" || error.phase === null) return error;
  const { message, ...options } = wording();
  const better = new FoundryError("TIMEOUT", message, {
    ...options,
    phase: error.phase,
    cause: error,
  });
  better.attempts = error.attempts;
  return better;
}
