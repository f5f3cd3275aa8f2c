/**
 * The one error type. Every failure that leaves this package, as an exception of the library or as
 * the result of a tool, is a `FoundryError`: a code to branch on, what happened in one sentence,
 * what to do next in another, and whether trying the same again can help.
 */

import { LONGEST_ERROR } from "./limits.js";
import { printable } from "./text.js";

/** Every code a {@link FoundryError} can carry, and what it stands for. */
export const ERROR_CODES = {
  NO_ENDPOINT: "no endpoint is set and none was found",
  EMBEDDED_FAILED: "the embedded service could not be started, or ended",
  SERVICE_UNREACHABLE: "nothing listens at the endpoint, or the connection broke before an answer",
  CIRCUIT_OPEN: "the endpoint failed repeatedly; it is not asked again until the next probe is due",
  NOT_FOUNDRY: "something answers at the endpoint, but nothing this client can talk to",
  UNSUPPORTED_BY_SERVER: "this service has no route for what was asked",
  UNAUTHORIZED: "the service refused the credentials",
  SERVICE_BUSY:
    "the service refuses requests for now (408, 429, 502 to 504, 520 to 526, 529, 530), is loading, or a quota is used up",
  SERVICE_ERROR: "the service failed on a request that was fine",
  INVALID_RESPONSE: "the answer was not what this route answers: HTML, half a JSON, nothing",
  RESPONSE_TOO_LARGE: "the answer was larger than the limit",
  REQUEST_TOO_LARGE: "the request line and headers are longer than the service reads",
  TIMEOUT: "a time limit passed; `phase` says which",
  QUEUE_FULL: "the queue is full; `retryAfterMs` says when there may be room, if that is known",
  COMPLETION_NOT_FOUND: "no completion has this id, or it is not kept any more",
  CANCELLED: "the caller cancelled",
  CLIENT_CLOSED: "the client was closed",
  MODEL_NOT_FOUND: "no model has this alias, name or id",
  MODEL_NOT_CACHED: "the model is known but not downloaded",
  MODEL_NOT_LOADED: "the model is downloaded but not in memory",
  MODEL_BUSY: "the model cannot be unloaded while it is in use",
  MODEL_CANNOT_CHAT: "the model is for another task, such as embeddings",
  MODEL_CANNOT_EMBED: "the model makes no embeddings, or is not known to",
  MODEL_CANNOT_SEE: "the model, or the way to it on this service, takes no images",
  INSUFFICIENT_MEMORY: "the model needs more memory than is free",
  INSUFFICIENT_DISK: "the download needs more disk space than is free",
  LOAD_FAILED: "the service could not load the model",
  DOWNLOAD_FAILED: "the model could not be downloaded; what is there is kept",
  DOWNLOAD_UNAVAILABLE: "there is no way to download the model from here; the action names another",
  EP_UNAVAILABLE: "the model needs an execution provider that is not registered",
  CONTEXT_LENGTH_EXCEEDED: "prompt and answer together do not fit the model's context",
  INVALID_REQUEST: "the service refused the request as malformed",
  INFERENCE_FAILED: "the model failed while generating",
  SCHEMA_MISMATCH: "no answer fitted the schema; the last one is kept as text",
  SERVER_CRASHED: "the service died while it worked on this request",
  STREAM_INTERRUPTED: "a generation ended before its end; the text so far is kept",
  INVALID_ARGUMENT: "an argument has an invalid value, is missing or is unknown",
  FILE_NOT_ALLOWED: "the file is in no folder that the user allowed, or none is allowed",
  INVALID_SETTING: "a setting has an invalid value",
  INTERNAL: "a defect of this package",
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** The stretch of a request in which a time limit passed. */
export type TimeoutPhase = "connect" | "first_byte" | "silence" | "whole";

/** What is not known of a failure is absent or `null`. */
export interface FoundryErrorOptions {
  /** What to do next, a sentence that a person and an agent can act on. */
  readonly action: string;
  /** Whether the same call can succeed later without anything being changed. Default `false`. */
  readonly retryable?: boolean;
  /** The HTTP status that came back, where one did. */
  readonly status?: number | null | undefined;
  /** After how long the service takes requests again, in milliseconds, as it said. */
  readonly retryAfterMs?: number | null | undefined;
  readonly phase?: TimeoutPhase | null | undefined;
  /**
   * The full message of the service or the system. For the log only: it may contain paths of the
   * service's disk or names of native functions.
   */
  readonly detail?: string | null | undefined;
  readonly cause?: unknown;
}

/** What `JSON.stringify` writes of a {@link FoundryError}. */
export type FoundryErrorJson = Pick<
  FoundryError,
  | "name"
  | "code"
  | "message"
  | "action"
  | "retryable"
  | "status"
  | "retryAfterMs"
  | "phase"
  | "attempts"
  | "requestId"
>;

/**
 * A failure with a code, in words for an agent and for a person. Its words are one line each, without
 * control characters and cut to a length that can be shown, whatever they quote.
 *
 * @example
 * try {
 *   await client.complete({ prompt: "Hello" });
 * } catch (error) {
 *   if (error instanceof FoundryError && error.code === "MODEL_NOT_CACHED") console.error(error.action);
 * }
 */
export class FoundryError extends Error {
  override readonly name = "FoundryError";
  readonly code: ErrorCode;
  readonly action: string;
  readonly retryable: boolean;
  readonly status: number | null;
  readonly retryAfterMs: number | null;
  readonly phase: TimeoutPhase | null;
  readonly detail: string | null;
  /** How often the request was sent before it was given up. Set by the retry policy. */
  attempts = 1;
  /**
   * The id of the request in the service's log, and in the log of a router in front of it; `null` where
   * none came back. Set by the transport.
   */
  requestId: string | null = null;
  /**
   * Whether no attempt sent anything, since no connection stood. Set by the retry policy.
   * @internal
   */
  neverSent = false;

  constructor(code: ErrorCode, message: string, options: FoundryErrorOptions) {
    super(
      printable(message, LONGEST_ERROR / 2),
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.action = printable(options.action, LONGEST_ERROR / 2);
    this.retryable = options.retryable ?? false;
    this.status = options.status ?? null;
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.phase = options.phase ?? null;
    this.detail = options.detail ?? null;
  }

  /**
   * The same failure without secrets, such as a key that a service has as the name of a model.
   * @internal
   */
  withoutSecrets(mask: { hide(text: string): string }): FoundryError {
    const [message, action] = [mask.hide(this.message), mask.hide(this.action)];
    if (message === this.message && action === this.action) return this;
    return this.reworded({ message, action, cause: this.cause });
  }

  /**
   * The same failure in other words; everything else that is known of it is kept.
   * @internal
   */
  reworded(words: {
    readonly code?: ErrorCode;
    readonly message?: string;
    readonly action?: string;
    readonly retryable?: boolean;
    /** Default: this error. */
    readonly cause?: unknown;
  }): FoundryError {
    const { code = this.code, message = this.message, ...rest } = words;
    const error = remade(code, message, { ...this, cause: this, ...rest });
    error.attempts = this.attempts;
    error.neverSent = this.neverSent;
    error.requestId = this.requestId;
    return error;
  }

  /**
   * For `JSON.stringify`: the words and facts for a caller. `detail` and `cause` stay out, since they
   * may contain paths and what was sent.
   */
  toJSON(): FoundryErrorJson {
    const { name, code, message, action, retryable, status, retryAfterMs, phase } = this;
    const { attempts, requestId } = this;
    return {
      name,
      code,
      message,
      action,
      retryable,
      status,
      retryAfterMs,
      phase,
      attempts,
      requestId,
    };
  }
}

/** Outside of the class: the build renames a class that names itself, and stack traces show that name. */
const remade = (...args: ConstructorParameters<typeof FoundryError>): FoundryError =>
  new FoundryError(...args);

/** Whether a call was ended from outside: by its caller, or with the client. */
export const isCancellation = ({ code }: FoundryError): boolean =>
  code === "CANCELLED" || code === "CLIENT_CLOSED";

/** What a caller's abort becomes, wherever it is noticed. */
export function cancelledError(): FoundryError {
  return new FoundryError("CANCELLED", "The call was cancelled.", {
    action: "Nothing to do. The device may still be busy with it for a while.",
  });
}

/**
 * The error of a call that its caller's signal ended, with the reason of the signal as its cause:
 * `TIMEOUT` for `AbortSignal.timeout()`, else `CANCELLED`.
 *
 * @param cancelled What the call failed with; its advice may name what continues.
 */
export function abortedError(
  { reason }: AbortSignal,
  cancelled: FoundryError = cancelledError(),
): FoundryError {
  const { message, action } = cancelled;
  if (!isTimeout(reason)) {
    return new FoundryError("CANCELLED", message, { action, cause: reason });
  }
  return new FoundryError("TIMEOUT", "The call did not end within the time limit of its signal.", {
    action: `Give the call more time. ${action.replace(/^Nothing to do[.;] */, "")}`.trimEnd(),
    retryable: true,
    phase: "whole",
    cause: reason,
  });
}

/**
 * Whether something was thrown because the signal of an `AbortController` was aborted, and is no failure
 * of its own.
 */
export function isAbortOf(signal: AbortSignal, thrown: unknown): boolean {
  if (!signal.aborted) return false;
  return thrown instanceof FoundryError ? isCancellation(thrown) : thrown === signal.reason;
}

/** @throws FoundryError `TIMEOUT` or `CANCELLED` for a signal of the caller that is aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortedError(signal);
}

/**
 * The error of a call whose steps fail with `CANCELLED` when it ends early. The caller's signal and the
 * closing of the client both end a call; only the former is a cancellation.
 */
export function endedError(
  error: FoundryError,
  signal: AbortSignal | undefined,
  closing: AbortSignal,
): FoundryError {
  if (error.code !== "CANCELLED") return error;
  if (signal?.aborted === true) return abortedError(signal, error);
  return closing.aborted ? closedError() : error;
}

/** By its name, not by its class, which differs between realms. */
const isTimeout = (reason: unknown): boolean =>
  typeof reason === "object" && reason !== null && Reflect.get(reason, "name") === "TimeoutError";

/** What the closing of a client makes of its calls, those in flight and those that come later. */
export function closedError(): FoundryError {
  return new FoundryError("CLIENT_CLOSED", "The client was closed.", {
    action: "Make a new `FoundryClient` for further calls.",
  });
}

/**
 * Anything that was thrown, as a `FoundryError`. What is none is a defect of ours: its own words
 * stay in `detail` for the log and are not shown.
 */
export function toFoundryError(thrown: unknown): FoundryError {
  if (thrown instanceof FoundryError) return thrown;
  return new FoundryError("INTERNAL", "foundry-local-mcp failed on this call.", {
    action: "Report it with the log lines of this moment; other calls are not affected.",
    detail: stackOf(thrown),
    cause: thrown,
  });
}

/** Where something was thrown, and with which words. For the log only. */
export const stackOf = (thrown: unknown): string =>
  thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);

/** The code of an error of the system, such as `ENOENT`; `null` for anything else. */
export const systemCodeOf = (thrown: unknown): string | null =>
  thrown instanceof Error && "code" in thrown && typeof thrown.code === "string"
    ? thrown.code
    : null;
