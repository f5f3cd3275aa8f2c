import type { HttpFailure } from "../../http/index.js";
import {
  type ErrorCode,
  FoundryError,
  type FoundryErrorOptions,
  SEARCHED_OF_MESSAGE,
  truncate,
} from "../../lib/index.js";
import { type KnownModel, shortName } from "../models/index.js";
import { downloadFailed } from "./download-failed.js";
import { sanitizeMessage } from "./sanitize-message.js";

/**
 * From what a service says to what it means. The services word their errors rather than code them,
 * and give the same one different statuses from version to version (docs/foundry-local.md,
 * section 5), so the words decide and the status only breaks ties.
 */

/** What a request was about, as far as it helps to word its failure. */
export interface Subject {
  readonly doing: "chat" | "load" | "unload" | "download" | "other";
  /** The model's exact id. */
  readonly model?: string;
  /** What people call it. */
  readonly shortName?: string;
}

interface Rule {
  readonly words: RegExp;
  /** Other words that must be there, too. Not one expression: `.*` between them takes quadratic time. */
  readonly also?: RegExp;
  readonly code: ErrorCode;
  readonly say: (
    model: string,
    shortName: string,
    said: string,
  ) => { message: string; action: string };
  /** Where these words mean something else. */
  readonly except?: Subject["doing"];
}

/** The first rule that fits decides; more special ones stand before more general ones. */
const RULES: readonly Rule[] = [
  {
    words: /which is not registered|DownloadAndRegisterEps/i,
    code: "EP_UNAVAILABLE",
    say: (model) => ({
      message: `${model} needs an execution provider that is not installed here.`,
      action: "Choose a variant for another device, such as the one that ends in -generic-cpu.",
    }),
  },
  {
    // S, also to a chat, for which it loads by itself. A model newer than its runtime (#706).
    words: /failed loading model/i,
    also: /unknown value/i,
    code: "LOAD_FAILED",
    say: (model, _shortName, said) => ({
      message: `The service could not load ${model}. It said: ${said}`,
      action:
        "The model is probably newer than the service: update Foundry Local, or choose another.",
    }),
  },
  {
    words: /failed loading model/i,
    code: "LOAD_FAILED",
    say: (model, _shortName, said) => ({
      message: `The service could not load ${model}. It said: ${said}`,
      action: LOAD_ADVICE,
    }),
  },
  {
    words: /model not cached|must be downloaded before/i,
    code: "MODEL_NOT_CACHED",
    say: (model, shortName) => ({
      message: `${model} is not downloaded.`,
      action: downloadAdvice(shortName),
    }),
  },
  {
    // A load can fail because a native library is "not loaded".
    words: /not loaded|must be loaded before/i,
    except: "load",
    code: "MODEL_NOT_LOADED",
    say: (model) => ({
      message: `${model} is not loaded.`,
      action: "Load it with load_model, then try again.",
    }),
  },
  {
    words:
      /model not found|no model matching|model \S+ (does not exist|not found)|model_not_found/i,
    code: "MODEL_NOT_FOUND",
    say: (model) => ({
      message: `The service has no model ${model}.`,
      action: "Choose one that list_models shows.",
    }),
  },
  {
    words: /no openaiservice provider found/i,
    code: "MODEL_NOT_CACHED",
    say: (model, shortName) => ({
      message: `${model} is not downloaded, or the service does not know it.`,
      action: downloadAdvice(shortName),
    }),
  },
  {
    words: /cannot unload model|session\(s\) still using/i,
    code: "MODEL_BUSY",
    say: (model) => ({
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

/** What to do about a model that is not downloaded, which is never done unasked: it is gigabytes. */
export const downloadAdvice = (shortName: string): string =>
  `Download it first, with load_model and download: true or with \`foundry model download ${shortName}\`: it may be gigabytes. Or choose a downloaded model from list_models.`;

const LOAD_ADVICE =
  "See the service's log (`foundry server logs`); another variant, a fresh download or a newer Foundry Local may help.";

/** Mistakes of the caller that older services answer with a 500 (docs/foundry-local.md, section 5). */
const CALLERS_MISTAKE =
  /max_output_tokens must be|must be between|non-empty content is required|invalid value for|invalid request|invalid openai json request|json\.exception|\bstoi\b|unsupported parameter|must be (a|an|at least|finite|in the range) /i;

// Without a bound on what stands between, repeated beginnings take quadratic time.
const OVERFLOW_FIGURES: readonly RegExp[] = [
  /requires \d{1,12} total tokens \((?<input>\d{1,12}) input \+ (?<output>\d{1,12}) output\).{0,300}maximum context length of (?<limit>\d{1,12})/is,
  /maximum context length is (?<limit>\d{1,12}) tokens.{0,300}\((?<input>\d{1,12}) in the messages, (?<output>\d{1,12}) in the completion\)/is,
  /input_ids size \((?<input>\d{1,12})\).{0,300}exceeds max length \((?<limit>\d{1,12})\)/is,
];
/** vLLM, llama.cpp and others word it in their own ways. */
const OVERFLOW_WORDS =
  /input_ids size[^.]{0,200}exceeds max length|maximum context length|context[ _](length|size|window)[^.]{0,200}(exceed|maximum|too (long|small))|exceeds?[^.]{0,200}context[ _](length|size|window)|prompt is too long|context_length_exceeded/i;

/** How far a request overshot a context, in tokens; `null` where the service did not say. */
export interface Overflow {
  readonly input: number | null;
  readonly output: number | null;
  readonly limit: number | null;
}

/** The figures in an overflow error, which are the only way to learn a limit from afar. */
export function overflowOf(error: FoundryError): Overflow | null {
  if (error.code !== "CONTEXT_LENGTH_EXCEEDED") return null;
  const figures = overflowFigures(truncate(error.detail ?? "", SEARCHED_OF_MESSAGE));
  const figure = (name: string) => (figures?.[name] === undefined ? null : Number(figures[name]));
  return { input: figure("input"), output: figure("output"), limit: figure("limit") };
}

function overflowFigures(message: string): Readonly<Record<string, string>> | undefined {
  for (const words of OVERFLOW_FIGURES) {
    const figures = words.exec(message)?.groups;
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
 * @param type The service's own word, `invalid_request_error` or `server_error`, where it gave one.
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

/** The one door for the words of a service: cut here, before anything searches them. */
function errorOfMessage(
  whole: string,
  subject: Subject,
  given: { readonly status: number; readonly retryAfterMs?: number },
  detail: string,
): FoundryError {
  const options = { ...given, detail };
  const message = truncate(whole, SEARCHED_OF_MESSAGE);
  const model = subject.model ?? "the model";
  const said = sanitizeMessage(message);
  if (overflowFigures(message) !== undefined || OVERFLOW_WORDS.test(message)) {
    return overflowError(message, model, options);
  }
  const rule = RULES.find(
    ({ words, also, except }) =>
      except !== subject.doing && words.test(message) && also?.test(message) !== false,
  );
  if (rule !== undefined) {
    const { message: what, action } = rule.say(model, subject.shortName ?? model, said);
    return new FoundryError(rule.code, what, {
      ...options,
      action,
      retryable: rule.code === "MODEL_BUSY",
    });
  }
  return byStatus(given.status, said, model, subject, options);
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
    // As worded, not as sent: overflowOf reads its figures from it, and JSON may escape the plus.
    detail: message,
    action: "Shorten the prompt, ask for fewer max_tokens, or use a model with a longer context.",
  });
}

/** Nothing, or only the name of the status, which is all an empty answer leaves. */
const NO_REASON = /^(internal server error|bad request|not found|service unavailable)?$/i;

function byStatus(
  status: number,
  said: string,
  model: string,
  { doing }: Subject,
  options: Omit<FoundryErrorOptions, "action">,
): FoundryError {
  if (status === 401 || status === 403) {
    // Its words may quote the key, which belongs into no message and no log.
    const { detail: _, ...rest } = options;
    return new FoundryError(
      "UNAUTHORIZED",
      `The service refused the credentials (HTTP ${status}).`,
      { ...rest, action: "Check FOUNDRY_API_KEY and FOUNDRY_HEADERS." },
    );
  }
  const quoted = NO_REASON.test(said) ? "The service gave no reason." : `It said: ${said}`;
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
      action: "health_check tells which service this is; a newer Foundry Local may help.",
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
  if (status < 500 || CALLERS_MISTAKE.test(said)) {
    return new FoundryError("INVALID_REQUEST", `The service refused the request. ${quoted}`, {
      ...options,
      action: "Change what it names, then try again.",
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
