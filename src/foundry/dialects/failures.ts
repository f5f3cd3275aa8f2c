import type { ErrorWords, HttpFailure } from "../../http/index.js";
import {
  type ErrorCode,
  FoundryError,
  type FoundryErrorOptions,
  SEARCHED_OF_MESSAGE,
  truncate,
} from "../../lib/index.js";
import { type KnownModel, shortName } from "../models/index.js";
import { downloadFailed } from "./download-failed.js";
import { type Overflow, overflowIn, overflowWords } from "./overflow.js";
import { BUSY, LOADING, pauseIn, statusIn } from "./passing.js";
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
    pattern:
      /more system memory|out of memory|\bOOM\b|bad_alloc|failed to allocate|unable to allocate|cudaMalloc failed|CUBLAS_STATUS_ALLOC_FAILED|(?:insufficient|not enough)(?: \w+){0,2} (?:memory|v?ram|resources)/i,
    code: "INSUFFICIENT_MEMORY",
    explain: (model, _shortName, message) => ({
      message: `${model} needs more memory than is free. It said: ${message}`,
      action:
        "Unload another model, close programs, or choose a smaller model, a smaller variant or a shorter prompt.",
    }),
  },
  {
    pattern:
      /not support (?:the )?(?:chat|generate|completions?\b)|not a chat model|only supports? embedding|is an? (?:text[- ])?(?:embedding|re-?rank(?:er|ing)|speech|image)s? model|provide a chat template|(?:no|not have a) chat template|chat_template is not set/i,
    except: "load",
    code: "MODEL_CANNOT_CHAT",
    explain: (model, _shortName, message) => ({
      message: `${model} is not a model for completions. It said: ${message}`,
      action: "Choose a model that can chat from list_models.",
    }),
  },
  {
    // Ollama, LM Studio and vLLM run a model in a process of its own.
    pattern:
      /runner process (?:has terminated|no longer running)|model has crashed|EngineDeadError|engine (?:core|process) (?:is dead|has died)/i,
    except: "load",
    code: "INFERENCE_FAILED",
    explain: (model, _shortName, message) => ({
      message: `The process of ${model} ended on this request. It said: ${message}`,
      action: "Ask for less, use another model, or look into the log of that engine.",
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
    pattern:
      /not (?:currently )?loaded|must be loaded before|no models? (?:is |are )?(?:currently )?loaded|model (?:is |was |has been )?unloaded/i,
    except: "load",
    code: "MODEL_NOT_LOADED",
    explain: (model) => ({
      message: `${model} is not loaded.`,
      action: "Load it with load_model, then try again.",
    }),
  },
  {
    pattern:
      /model not found|no model matching|model \S+ (?:does not exist|(?:is |was )?not found)|model_not_found|invalid model (?:name|identifier|id)\b|unknown model\b|no such model|no model (?:named|called)/i,
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

/** A download may be gigabytes, so it never starts unless requested. */
export const downloadAdvice = (shortName: string): string =>
  `Download it first, with load_model and download: true or with \`foundry model download ${shortName}\`: it may be gigabytes. Or choose a downloaded model from list_models.`;

const LOAD_ADVICE =
  "See the service's log (`foundry server logs`); another variant, a fresh download or a newer Foundry Local may help.";

/** Invalid requests that older services answer with a 500 (docs/foundry-local.md, section 5). */
const INVALID_REQUEST =
  /max_output_tokens must be|must be between|non-empty content is required|invalid value for|invalid request|invalid openai json request|json\.exception|\bstoi\b|unsupported (?:parameter|value)|must be (a|an|at least|finite|in the range) |unrecognized request argument|unknown field|extra_forbidden|roles? (?:is )?not supported|roles must alternate|roles are supported/i;

/** The error for an answer that is not 2xx. */
export function errorOfFailure(failure: HttpFailure, subject: Subject): FoundryError {
  const { status, message, kinds = [], body } = failure;
  const retryAfterMs =
    failure.retryAfterMs ?? (status === 429 || status === 503 ? pauseIn(message) : null);
  const options = { status, ...(retryAfterMs === null ? {} : { retryAfterMs }), detail: body };
  return (
    knownError({ text: message, kinds }, subject, options) ??
    byStatus(status, cleaned(message), subject, options)
  );
}

/**
 * The error for an `error` inside an answer that began with 200.
 *
 * @param detail For the log.
 */
export function errorOfStreamEvent(
  words: ErrorWords,
  subject: Subject,
  detail = words.text,
): FoundryError {
  const status = statusIn(words.kinds);
  const options = { status: status ?? 200, detail };
  return (
    knownError(words, subject, options) ??
    byStatus(status ?? (BUSY.test(words.text) ? 503 : null), cleaned(words.text), subject, options)
  );
}

const WRONG_KEY =
  /(?:invalid|incorrect|missing|malformed) api[ _-]?key|api[ _-]?key (?:is )?(?:not valid|invalid|missing|required)|invalid_api_key|authentication_?error/i;

/** The limits of an account: they do not pass by waiting. */
const NO_QUOTA = /insufficient_quota|exceeded your current quota|budget has been exceeded/i;

const cleaned = (message: string): string =>
  sanitizeMessage(truncate(message, SEARCHED_OF_MESSAGE));

type Options = Omit<FoundryErrorOptions, "action"> & { readonly status: number };

/** The error that the words stand for, whatever the status. Every message of a service passes here. */
export function knownError(
  words: ErrorWords,
  subject: Subject,
  options: Options,
): FoundryError | null {
  const message = truncate(words.text, SEARCHED_OF_MESSAGE);
  const searched = [message, ...words.kinds].join("\n");
  const model = subject.model ?? "the model";
  const overflow = options.status === 429 ? undefined : overflowIn(searched);
  if (overflow !== undefined) return overflowError(overflow, searched, model, options);
  if (WRONG_KEY.test(searched)) return unauthorized(options);
  if (options.status === 503 && LOADING.test(message)) {
    return new FoundryError("SERVICE_BUSY", `The service is still loading ${model}.`, {
      ...options,
      detail: message,
      action: "Try again when it is loaded.",
      retryable: true,
    });
  }
  if (NO_QUOTA.test(searched)) {
    return new FoundryError("SERVICE_BUSY", `The quota is used up. It said: ${cleaned(message)}`, {
      ...options,
      action: "Raise the limit of this key, or use another one.",
    });
  }
  const rule = RULES.find(
    ({ pattern, also, except }) =>
      except !== subject.doing && pattern.test(searched) && also?.test(searched) !== false,
  );
  if (rule === undefined) return null;
  const name = subject.shortName ?? model;
  const { message: what, action } = rule.explain(model, name, cleaned(message));
  const retryable = rule.code === "MODEL_BUSY";
  return new FoundryError(rule.code, what, { ...options, action, retryable });
}

function overflowError(
  overflow: Overflow,
  message: string,
  model: string,
  options: Options,
): FoundryError {
  return new FoundryError("CONTEXT_LENGTH_EXCEEDED", overflowWords(overflow, model), {
    ...options,
    // The decoded message: overflowOf reads its figures, and JSON may escape the plus sign.
    detail: message,
    action: "Shorten the prompt, ask for fewer max_tokens, or use a model with a longer context.",
  });
}

const shownStatus = ({ status }: Options): string => (status < 400 ? "" : ` (HTTP ${status})`);

function unauthorized(options: Options): FoundryError {
  const { status, retryAfterMs } = options;
  // Without the message as detail: it may quote the key, which must not reach an error or the log.
  return new FoundryError(
    "UNAUTHORIZED",
    `The service refused the credentials${shownStatus(options)}.`,
    {
      status,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      action: "Check FOUNDRY_API_KEY and FOUNDRY_HEADERS.",
    },
  );
}

/** An empty message, or only the name of the status. */
const NO_REASON = /^(internal server error|bad request|not found|service unavailable)?$/i;

/** @param status `null`: not known. */
function byStatus(
  status: number | null,
  message: string,
  { doing, model = "the model" }: Subject,
  options: Options,
): FoundryError {
  if (status === 401 || status === 403) return unauthorized(options);
  const quoted = NO_REASON.test(message) ? "The service gave no reason." : `It said: ${message}`;
  if (status === 408 || status === 429 || status === 502 || status === 503 || status === 504) {
    const { retryAfterMs } = options;
    return new FoundryError(
      "SERVICE_BUSY",
      `The service is busy${shownStatus(options)}. ${quoted}`,
      {
        ...options,
        action:
          retryAfterMs === undefined
            ? "Try again in a while."
            : `Try again in ${Math.max(1, Math.ceil(retryAfterMs / 1000))} s.`,
        retryable: true,
      },
    );
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
  if ((status !== null && status < 500) || INVALID_REQUEST.test(message)) {
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
      // Inside a 200, only a status of its own makes an unknown error one that may pass.
      retryable: status !== null,
    });
  }
  return new FoundryError("SERVICE_ERROR", `The service failed${shownStatus(options)}. ${quoted}`, {
    ...options,
    action: "Try again; if it keeps failing, restart the service.",
    retryable: status !== null,
  });
}
