import {
  type ErrorWords,
  errorWordsOf,
  type HttpAnswer,
  type HttpFailure,
  isBusy,
  retryAfterMsOf,
  saysLoading,
  wordsOfError,
} from "../../http/index.js";
import {
  type ErrorCode,
  escapeRegExp,
  FoundryError,
  type FoundryErrorOptions,
  formatWait,
  SEARCHED_OF_BODY,
  SEARCHED_OF_MESSAGE,
  type SecretMask,
  truncate,
} from "../../lib/index.js";
import { type KnownModel, shortName } from "../models/index.js";
import { NO_DATABASE, redirected, unauthorized } from "./endpoint-errors.js";
import { CHOOSE_MODEL, noModel, RULES, type Subject } from "./failure-rules.js";
import { overflowIn, overflowWords } from "./overflow.js";
import { hasWords, saidBy, sanitizeMessage } from "./sanitize-message.js";

/**
 * Maps the error messages of services to our errors. The services have no error codes, and the status
 * of the same error differs between versions (docs/foundry-local.md, section 5). So the message
 * decides, and the status only where the message is unknown.
 */

export const about = (doing: Subject["doing"], model: KnownModel): Subject => ({
  doing,
  model: model.id,
  shortName: shortName(model),
});

/** Invalid requests that older services answer with a 500 (docs/foundry-local.md, section 5). */
const INVALID_REQUEST =
  /max_output_tokens must be|must be between|non-empty content is required|invalid value for|invalid request|invalid openai json request|json\.exception|\bstoi\b|unsupported (?:parameter|value)|must be (a|an|at least|finite|in the range) |unrecognized request argument|unknown field|extra_forbidden|roles? (?:is )?not supported|roles must alternate|roles are supported/i;

const TOO_LARGE = 413;

/** Text Generation Inference: the model failed on this request. */
const GENERATION_FAILED = 424;

/** Cloudflare, also at the end of its tunnels: what is behind it does not run, or does not answer. */
const NO_ORIGIN: ReadonlySet<number> = new Set([520, 521, 522, 523, 524, 525, 526, 530]);
/** It waits 100 seconds for the first byte. */
const NO_ANSWER_IN_TIME = 524;

/** The error for an answer that is not 2xx. */
export function errorOfFailure(failure: HttpFailure, subject: Subject): FoundryError {
  const { status, message, kinds, body, brokeOff } = failure;
  if (status < 400 && message.startsWith("redirected to ")) {
    return redirected("The service", message, status);
  }
  const retryAfterMs = failure.retryAfterMs ?? (isBusy(status) ? pauseIn(message) : null);
  const options = { status, retryAfterMs, detail: truncate(body, SEARCHED_OF_BODY) };
  return (
    knownError({ text: message, kinds }, subject, options) ??
    // A 404 stands for an unknown route or for an unknown model, and only its body says which.
    (status === 404 ? brokeOff : null) ??
    byStatus(status, sanitizeMessage(message), subject, options)
  );
}

/** The words of an `error` inside an answer, without what no text may show. */
export function hiddenWords(error: unknown, secrets: SecretMask): ErrorWords {
  const { text, kinds } = wordsOfError(error);
  return {
    text: secrets.hide(text.slice(0, SEARCHED_OF_BODY)),
    kinds: kinds.map((kind) => secrets.hide(kind)),
  };
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
    byStatus(
      status ?? (BUSY.test(words.text) ? 503 : null),
      sanitizeMessage(words.text),
      subject,
      options,
    )
  );
}

/** The status that an error inside a 200 names, as a number or by its type; `null`: none. */
function statusIn(kinds: readonly string[]): number | null {
  const status = kinds.find((kind) => /^[45]\d\d$/.test(kind));
  if (status !== undefined) return Number(status);
  return STATUSES.find(([pattern]) => kinds.some((kind) => pattern.test(kind)))?.[1] ?? null;
}

const STATUSES: readonly (readonly [RegExp, number])[] = [
  [/rate_?limit/i, 429],
  [/unavailable|overloaded/i, 503],
  [/invalid_?request|bad_?request|validation/i, 400],
  [/server_?error|internal/i, 500],
];

/** The pause that a message names: `Try again in 60 seconds.` of LiteLLM, `in 1m30s` of OpenAI. */
function pauseIn(message: string): number | null {
  const { minutes, amount, unit } =
    /(?:try again|retry) (?:in|after) (?:(?<minutes>\d{1,4}) ?m(?!s)(?:in(?:utes?)?)? ?)?(?:(?<amount>\d{1,6}(?:\.\d{1,6})?) ?(?<unit>ms|s))?/i.exec(
      message,
    )?.groups ?? {};
  const factor = unit?.toLowerCase() === "ms" ? 1 : 1000;
  const pauseMs = Number(minutes ?? 0) * 60_000 + Math.ceil(Number(amount ?? 0) * factor);
  return pauseMs === 0 ? null : pauseMs;
}

/** Words of a service that has no time now, where it gives no status. */
const BUSY =
  /rate limit|too many requests|overloaded|server (?:is )?busy|temporarily unavailable|queue is full|try again later/i;

/** The error for an answer that says that the service is loading a model. */
export function loadingError({ status, body, headers }: HttpAnswer): FoundryError | null {
  if (status !== 503) return null;
  const words = errorWordsOf(body, "", "");
  const options = { status, retryAfterMs: retryAfterMsOf(headers), detail: words.text };
  const error = knownError(words, { doing: "other" }, options);
  return error !== null && isLoading(error) ? error : null;
}

/** Whether an error says that the service is loading a model, so that it can be waited for. */
export const isLoading = ({ code, status, detail }: FoundryError): boolean =>
  code === "SERVICE_BUSY" && status === 503 && saysLoading(detail ?? "");

/** Advice of Foundry Local does not help a user of another engine, from which no model can be loaded. */
export function ofOtherEngine(error: FoundryError): FoundryError {
  if (error.code !== "MODEL_NOT_LOADED" && error.code !== "LOAD_FAILED") return error;
  return error.reworded({
    action: "Load the model with the tools of that engine, then try again.",
  });
}

const WRONG_KEY =
  /(?:invalid|incorrect|missing|malformed) api[ _-]?key|api[ _-]?key (?:is )?(?:not valid|invalid|missing|required)|invalid_api_key|authentication_?error/i;

/** The limits of an account, as gateways and what is behind them word them: they do not pass by waiting. */
const NO_QUOTA =
  /insufficient_(?:user_)?quota|exceeded your current quota|quota is not enough|token_quota_failed|credit balance is too low|budget has been exceeded|reached your (?:\w+ )?usage limit/i;
/** Words that an engine may also quote from an answer that it could not parse, with 500. */
const NO_BALANCE =
  /insufficient[_ ](?:user[_ ])?(?:quota|credits?|balance|funds)|(?:额度|余额)不足/i;
const NO_PAYMENT = 402;

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
  if (overflow !== undefined) {
    return new FoundryError("CONTEXT_LENGTH_EXCEEDED", overflowWords(overflow, model), {
      ...options,
      // The decoded message: overflowOf reads its figures, and JSON may escape the plus sign.
      detail: searched,
      action: OVERFLOW_ADVICE,
    });
  }
  if (WRONG_KEY.test(searched) || NO_DATABASE.test(message)) return refused("", options);
  if (options.status === 503 && saysLoading(message)) {
    return new FoundryError("SERVICE_BUSY", `The service is still loading ${model}.`, {
      ...options,
      detail: message,
      action: "Try again when it is loaded.",
      retryable: true,
    });
  }
  const isOfClient = options.status >= 400 && options.status < 500;
  const hasNoBalance = isOfClient && NO_BALANCE.test(searched);
  if (options.status === NO_PAYMENT || hasNoBalance || NO_QUOTA.test(searched)) {
    return new FoundryError("SERVICE_BUSY", `The quota is used up.${saidBy(message)}`, {
      ...options,
      action: "Raise the limit of this key, or use another one.",
    });
  }
  const rule = RULES.find(
    ({ pattern, also, except }) =>
      except !== subject.doing && pattern.test(searched) && also?.test(searched) !== false,
  );
  if (rule === undefined) {
    if (options.status !== 404 || !namesModel(message, subject)) return null;
    return new FoundryError("MODEL_NOT_FOUND", `${noModel(model)}${saidBy(message)}`, {
      ...options,
      action: CHOOSE_MODEL,
    });
  }
  return new FoundryError(rule.code, rule.message(model, saidBy(message)), {
    ...options,
    action: typeof rule.action === "string" ? rule.action : rule.action(subject.shortName ?? model),
    retryable: rule.code === "MODEL_BUSY" || rule.code === "SERVICE_BUSY",
  });
}

/**
 * With 404 it is the model that is missing: exo, OpenRouter, llama-swap, Lemonade, mlx-lm with the address of the model.
 * The name in the path of a file says nothing of that, nor does what the model does not support.
 */
const namesModel = (message: string, { doing, model }: Subject): boolean =>
  (doing === "chat" || doing === "embed") &&
  model !== undefined &&
  !/support/i.test(message) &&
  new RegExp(
    `(?:(?<![\\w/\\\\-]|\\w')|https?://\\S{1,100}/)${escapeRegExp(model)}(?!'?\\w|-)`,
  ).test(message);

const LOAD_ADVICE =
  "See the service's log (`foundry server logs`; with foundry-local-sdk, .foundry-local-mcp/logs in the home folder); another variant, a fresh download or a newer Foundry Local may help.";

const OVERFLOW_ADVICE =
  "Shorten the prompt, ask for fewer `maxTokens`, or use a model with a longer context.";

const shownStatus = ({ status }: Options): string => (status < 400 ? "" : ` (HTTP ${status})`);

/** @param words None where they may quote the key. */
function refused(words: string, options: Options): FoundryError {
  const bare = `The service refused the credentials${shownStatus(options)}.`;
  return unauthorized("The service", bare, words, options);
}

/** Only the name of the status. */
const NO_REASON = /^(internal server error|bad request|not found|service unavailable)$/i;

/** @param status `null`: not known. */
function byStatus(
  status: number | null,
  message: string,
  { doing, model = "the model" }: Subject,
  options: Options,
): FoundryError {
  if (status === 401 || status === 403) return refused(message, options);
  const fail = (code: ErrorCode, what: string, action: string, retryable = false): FoundryError =>
    new FoundryError(code, `${what} ${quoted}`, { ...options, action, retryable });
  const hasReason = hasWords(message) && !NO_REASON.test(message);
  const quoted = hasReason ? `It said: ${message}` : "The service gave no reason.";
  const shown = shownStatus(options);
  if (isBusy(status)) {
    const { retryAfterMs } = options;
    const when = retryAfterMs == null ? "a while" : formatWait(retryAfterMs);
    return fail("SERVICE_BUSY", `The service is busy${shown}.`, `Try again in ${when}.`, true);
  }
  if (status !== null && NO_ORIGIN.has(status)) {
    const action =
      status === NO_ANSWER_IN_TIME
        ? "Shorten the prompt or ask for less, so that the answer begins sooner, or use the address of the service itself."
        : "Check that the service and the tunnel to it are running, then try again.";
    const what = `The gateway got no answer from the service behind it${shown}.`;
    return fail("SERVICE_BUSY", what, action, true);
  }
  // vLLM answers 501 for what it does not implement.
  if (status === 404 || status === 405 || status === 501) {
    return fail(
      "UNSUPPORTED_BY_SERVER",
      "This service cannot do that.",
      "`healthCheck` shows which service this is; a newer version of it may help.",
    );
  }
  if (doing === "load")
    return fail("LOAD_FAILED", `The service could not load ${model}.`, LOAD_ADVICE);
  if (doing === "download") return downloadFailed(model, quoted, null, options);
  if (doing === "chat" && status === TOO_LARGE) {
    const what = `The request is too large for the service${shown}.`;
    return fail("CONTEXT_LENGTH_EXCEEDED", what, OVERFLOW_ADVICE);
  }
  const isGeneration = doing === "chat" && status === GENERATION_FAILED;
  if ((status !== null && status < 500 && !isGeneration) || INVALID_REQUEST.test(message)) {
    // The agent of the editor's toolkit answers so where a prompt is too long for an NPU.
    const action =
      hasReason || doing !== "chat"
        ? "Change what the message names, then try again."
        : "Shorten the prompt, which may be too long for the model, or use another model; the service's log may say more.";
    return fail("INVALID_REQUEST", "The service refused the request.", action);
  }
  // Inside a 200, only a status of its own makes an unknown error one that may pass.
  const retryable = status !== null;
  if (doing === "chat") {
    // Core 1.0 and the legacy service refuse a prompt that is too long so, among others.
    const shorten = hasReason ? "" : "shorten the prompt, ";
    const otherwise = `${shorten}unload and load the model, restart the service, or use another model.`;
    const action = retryable
      ? `Try again; if it keeps failing, ${otherwise}`
      : `See the log of the service, ${otherwise}`;
    return fail("INFERENCE_FAILED", `${model} failed while generating.`, action, retryable);
  }
  const action = retryable
    ? "Try again; if it keeps failing, restart the service."
    : "See the log of the service, or restart it.";
  return fail("SERVICE_ERROR", `The service failed${shown}.`, action, retryable);
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
