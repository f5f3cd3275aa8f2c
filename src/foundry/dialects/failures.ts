import type { HttpFailure } from "../../http/index.js";
import {
  type ErrorCode,
  FoundryError,
  type FoundryErrorOptions,
  SEARCHED_OF_MESSAGE,
  truncate,
} from "../../lib/index.js";
import { type KnownModel, shortName } from "../models/index.js";
import { sanitizeMessage } from "./sanitize-message.js";

/**
 * Maps the error messages of services to our errors. The services have no error codes, and the status
 * of the same error differs between versions (docs/foundry-local.md, section 5). So the message
 * decides, and the status only where the message is unknown.
 */

/** The operation that failed, and its model. */
export interface Subject {
  readonly doing: "chat" | "load" | "unload" | "download" | "other";
  /** The model's exact id. */
  readonly model?: string;
  /** Its alias or name. */
  readonly shortName?: string;
}

interface Rule {
  readonly pattern: RegExp;
  /** Must match too. Not one expression: `.*` between the two takes quadratic time. */
  readonly also?: RegExp;
  readonly code: ErrorCode;
  readonly explain: (
    model: string,
    shortName: string,
    message: string,
  ) => { message: string; action: string };
  /** The operation for which the pattern means something else. */
  readonly except?: Subject["doing"];
}

/** The first rule that matches decides. */
const RULES: readonly Rule[] = [
  {
    pattern: /which is not registered|DownloadAndRegisterEps/i,
    code: "EP_UNAVAILABLE",
    explain: (model) => ({
      message: `${model} needs an execution provider that is not installed here.`,
      action: "Choose a variant for another device, such as the one that ends in -generic-cpu.",
    }),
  },
  {
    // The legacy service, also for a chat, which loads the model. The model is newer (#706).
    pattern: /failed loading model/i,
    also: /unknown value/i,
    code: "LOAD_FAILED",
    explain: (model, _shortName, message) => ({
      message: `The service could not load ${model}. It said: ${message}`,
      action:
        "The model is probably newer than the service: update Foundry Local, or choose another.",
    }),
  },
  {
    pattern: /failed loading model/i,
    code: "LOAD_FAILED",
    explain: (model, _shortName, message) => ({
      message: `The service could not load ${model}. It said: ${message}`,
      action: LOAD_ADVICE,
    }),
  },
  {
    pattern: /model not cached|must be downloaded before/i,
    code: "MODEL_NOT_CACHED",
    explain: (model, shortName) => ({
      message: `${model} is not downloaded.`,
      action: downloadAdvice(shortName),
    }),
  },
  {
    // A load can fail because a native library is "not loaded".
    pattern: /not loaded|must be loaded before/i,
    except: "load",
    code: "MODEL_NOT_LOADED",
    explain: (model) => ({
      message: `${model} is not loaded.`,
      action: "Load it with load_model, then try again.",
    }),
  },
  {
    pattern:
      /model not found|no model matching|model \S+ (does not exist|not found)|model_not_found/i,
    code: "MODEL_NOT_FOUND",
    explain: (model) => ({
      message: `The service has no model ${model}.`,
      action: "Choose one that list_models shows.",
    }),
  },
  {
    pattern: /no openaiservice provider found/i,
    code: "MODEL_NOT_CACHED",
    explain: (model, shortName) => ({
      message: `${model} is not downloaded, or the service does not know it.`,
      action: downloadAdvice(shortName),
    }),
  },
  {
    pattern: /cannot unload model|session\(s\) still using/i,
    code: "MODEL_BUSY",
    explain: (model) => ({
      message: `${model} is in use, so it cannot be unloaded now.`,
      action:
        "Wait until its completions have ended, then try again. Older versions of Foundry Local also finish those that were cancelled.",
    }),
  },
];

/** The subject of a request about one model. */
export const about = (doing: Subject["doing"], model: KnownModel): Subject => ({
  doing,
  model: model.id,
  shortName: shortName(model),
});

/**
 * A download may be gigabytes, so it never starts unless requested. `MissingModels` replaces this by
 * what is possible on the service.
 */
export const downloadAdvice = (shortName: string): string =>
  `Download ${shortName} first, or choose a downloaded model from list_models.`;

const LOAD_ADVICE =
  "See the service's log (`foundry server logs`); another variant, a fresh download or a newer Foundry Local may help.";

/** Invalid requests that older services answer with a 500 (docs/foundry-local.md, section 5). */
const INVALID_REQUEST =
  /max_output_tokens must be|must be between|non-empty content is required|invalid value for|invalid request|invalid openai json request|json\.exception|\bstoi\b|unsupported parameter|must be (a|an|at least|finite|in the range) /i;

// Unbounded repetitions between the figures would take quadratic time.
const OVERFLOW_FIGURES: readonly RegExp[] = [
  /requires \d{1,12} total tokens \((?<input>\d{1,12}) input \+ (?<output>\d{1,12}) output\).{0,300}maximum context length of (?<limit>\d{1,12})/is,
  /maximum context length is (?<limit>\d{1,12}) tokens.{0,300}\((?<input>\d{1,12}) in the messages, (?<output>\d{1,12}) in the completion\)/is,
  /input_ids size \((?<input>\d{1,12})\).{0,300}exceeds max length \((?<limit>\d{1,12})\)/is,
];
/** The same error of vLLM, llama.cpp and others. */
const OVERFLOW_MESSAGE =
  /input_ids size[^.]{0,200}exceeds max length|maximum context length|context[ _](length|size|window)[^.]{0,200}(exceed|maximum|too (long|small))|exceeds?[^.]{0,200}context[ _](length|size|window)|prompt is too long|context_length_exceeded/i;

/** The sizes of a request that exceeds a context, in tokens; `null`: not reported. */
export interface Overflow {
  readonly input: number | null;
  readonly output: number | null;
  readonly limit: number | null;
}

/** The figures in an overflow error: the only source of the limit of a service elsewhere. */
export function overflowOf(error: FoundryError): Overflow | null {
  if (error.code !== "CONTEXT_LENGTH_EXCEEDED") return null;
  const figures = overflowFigures(truncate(error.detail ?? "", SEARCHED_OF_MESSAGE));
  const figure = (name: string) => (figures?.[name] === undefined ? null : Number(figures[name]));
  return { input: figure("input"), output: figure("output"), limit: figure("limit") };
}

function overflowFigures(message: string): Readonly<Record<string, string>> | undefined {
  for (const pattern of OVERFLOW_FIGURES) {
    const figures = pattern.exec(message)?.groups;
    if (figures !== undefined) return figures;
  }
  return undefined;
}

/** The error for an answer that is not 2xx. */
export function errorOfFailure(failure: HttpFailure, subject: Subject): FoundryError {
  const { status, message, retryAfterMs } = failure;
  const options = { status, ...(retryAfterMs === null ? {} : { retryAfterMs }) };
  return errorOfMessage(message, subject, options, failure.body);
}

/**
 * The error for an `error` inside a stream that began with 200.
 * @param type `invalid_request_error` or `server_error`, if the service set one.
 */
export function errorOfStreamEvent(
  message: string,
  type: string | null,
  subject: Subject,
  detail = message,
): FoundryError {
  const status = type === "invalid_request_error" ? 400 : 500;
  return errorOfMessage(message, subject, { status }, detail);
}

/** Every message of a service passes here, and is truncated before any pattern is applied. */
function errorOfMessage(
  whole: string,
  subject: Subject,
  given: { readonly status: number; readonly retryAfterMs?: number },
  detail: string,
): FoundryError {
  const options = { ...given, detail };
  const message = truncate(whole, SEARCHED_OF_MESSAGE);
  const model = subject.model ?? "the model";
  const clean = sanitizeMessage(message);
  if (overflowFigures(message) !== undefined || OVERFLOW_MESSAGE.test(message)) {
    return overflowError(message, model, options);
  }
  const rule = RULES.find(
    ({ pattern, also, except }) =>
      except !== subject.doing && pattern.test(message) && also?.test(message) !== false,
  );
  if (rule !== undefined) {
    const { message: what, action } = rule.explain(model, subject.shortName ?? model, clean);
    return new FoundryError(rule.code, what, {
      ...options,
      action,
      retryable: rule.code === "MODEL_BUSY",
    });
  }
  return byStatus(given.status, clean, model, subject, options);
}

function overflowError(
  message: string,
  model: string,
  options: Omit<FoundryErrorOptions, "action">,
): FoundryError {
  const figures = overflowFigures(message);
  const { input, output, limit } = figures ?? {};
  const answer = output === undefined ? "," : ` and the answer may have ${output}, together`;
  const text =
    figures === undefined
      ? `The prompt and the answer together do not fit the context of ${model}.`
      : `The prompt has ${input} tokens${answer} more than the ${limit} tokens of ${model}.`;
  return new FoundryError("CONTEXT_LENGTH_EXCEEDED", text, {
    ...options,
    // The decoded message: overflowOf reads its figures, and JSON may escape the plus sign.
    detail: message,
    action: "Shorten the prompt, ask for fewer max_tokens, or use a model with a longer context.",
  });
}

/** An empty message, or only the name of the status. */
const NO_REASON = /^(internal server error|bad request|not found|service unavailable)?$/i;

function byStatus(
  status: number,
  message: string,
  model: string,
  { doing }: Subject,
  options: Omit<FoundryErrorOptions, "action">,
): FoundryError {
  if (status === 401 || status === 403) {
    // The message may quote the key, which must not reach an error or the log.
    const { detail: _, ...rest } = options;
    return new FoundryError(
      "UNAUTHORIZED",
      `The service refused the credentials (HTTP ${status}).`,
      { ...rest, action: "Check FOUNDRY_API_KEY and FOUNDRY_HEADERS." },
    );
  }
  const quoted = NO_REASON.test(message) ? "The service gave no reason." : `It said: ${message}`;
  if (status === 408 || status === 429 || status === 502 || status === 503 || status === 504) {
    return new FoundryError("SERVICE_BUSY", `The service is busy (HTTP ${status}). ${quoted}`, {
      ...options,
      action: "Try again in a while.",
      retryable: true,
    });
  }
  if (status === 404 || status === 405) {
    return new FoundryError("UNSUPPORTED_BY_SERVER", `This service cannot do that. ${quoted}`, {
      ...options,
      action: "health_check shows which service this is; a newer Foundry Local may help.",
    });
  }
  if (doing === "load") {
    return new FoundryError("LOAD_FAILED", `The service could not load ${model}. ${quoted}`, {
      ...options,
      action: LOAD_ADVICE,
    });
  }
  if (doing === "download") {
    return downloadFailed(model, quoted, null, options);
  }
  if (status < 500 || INVALID_REQUEST.test(message)) {
    return new FoundryError("INVALID_REQUEST", `The service refused the request. ${quoted}`, {
      ...options,
      action: "Change what the message names, then try again.",
    });
  }
  if (doing === "chat") {
    return new FoundryError("INFERENCE_FAILED", `${model} failed while generating. ${quoted}`, {
      ...options,
      action:
        "Try again; if it keeps failing, unload and load the model, restart the service, or use another model.",
      retryable: true,
    });
  }
  return new FoundryError("SERVICE_ERROR", `The service failed (HTTP ${status}). ${quoted}`, {
    ...options,
    action: "Try again; if it keeps failing, restart the service.",
    retryable: true,
  });
}

/**
 * A download that failed. Services keep the downloaded part and resume from it.
 *
 * @param reason A sentence.
 * @param percent The progress; `null` where it is not known.
 */
export function downloadFailed(
  model: string,
  reason: string,
  percent: number | null,
  options: Omit<FoundryErrorOptions, "action" | "retryable"> = {},
): FoundryError {
  const reached = percent === null ? "" : ` It came to ${Math.floor(percent)} %.`;
  return new FoundryError("DOWNLOAD_FAILED", `${model} was not downloaded. ${reason}${reached}`, {
    ...options,
    action:
      "Check the network and the free space on the disk, then download it again: it goes on from what is there.",
    retryable: true,
  });
}
