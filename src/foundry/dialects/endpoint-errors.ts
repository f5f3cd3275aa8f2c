import {
  errorWordsOf,
  type HttpTransport,
  redirectTarget,
  retryAfterMsOf,
} from "../../http/index.js";
import {
  answerFrom,
  type ErrorCode,
  FoundryError,
  type FoundryErrorOptions,
  formatWait,
} from "../../lib/index.js";
import { saidBy } from "./sanitize-message.js";

/** Errors for which the endpoint is to blame, or what is set for it: its address, its key. */

/** What LiteLLM without a database says of a wrong key, with 400. */
export const NO_DATABASE = /\bno connected db\b/i;

/** Keys in the words of a service: by their usual beginnings, behind a name, or by their looks. */
const KEYS: readonly RegExp[] = [
  /\b(?:sk|pk|rk|gsk|hf|ghp|xai|nvapi|key|eyJ)[-_.][^\s"',;)\]}]+|\b(?:AIza|eyJ)[\w.-]{8,}/g,
  /(?<=\b(?:key|token|bearer|password|secret)(?: (?:is|provided|passed))?(?: ?[=:] ?| )["'`]?)(?=[^\s"'`]*[\d*])[^\s"'`,;)\]}]{4,}/gi,
  /\b(?=\w*\d)\w{24,}\b/g,
];

const withoutKeys = (words: string): string =>
  KEYS.reduce((text, pattern) => text.replace(pattern, "[hidden]"), words.slice(0, 2000));

const CHECK = "Check the option `apiKey` and the option `headers`.";

/** What helps, by the words of a refusal that is not about a wrong key. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /\bhost\b/i,
    "Use an address in the option `endpoint` whose host name the service accepts, or allow this one in the service.",
  ],
  [
    /\bgated\b|licen[cs]e|accept the (?:terms|conditions)/i,
    "Accept the terms of the model where it is published, or use another model.",
  ],
  [
    /(?:not (?:allowed|permitted|authorized)|only|no|denied|cannot|restricted)[^.]{0,40} access|access[^.]{0,40} denied|permission/i,
    "Use a model that this key may access, or another key.",
  ],
];

/** Only the name of the status. */
const NO_REASON = /^(?:unauthorized|forbidden|no message)\.?$/i;

/**
 * The error for a 401 or 403. Without detail: the whole answer may quote the key, which must not reach
 * an error or the log.
 *
 * @param source What refused.
 * @param bare The sentence where it said nothing: only then are the credentials to blame for sure.
 * @param words What the service said; without the keys that it may quote.
 * @param action Where the words say nothing else.
 */
export function unauthorized(
  source: string,
  bare: string,
  words: string,
  { status, retryAfterMs }: Pick<FoundryErrorOptions, "retryAfterMs"> & { readonly status: number },
  action = CHECK,
): FoundryError {
  const shown = NO_REASON.test(words.trim()) ? "" : withoutKeys(words);
  const advice = ADVICE.find(([pattern]) => pattern.test(shown))?.[1] ?? action;
  const said = saidBy(shown);
  const message = said === "" ? bare : `${source} refused the request (HTTP ${status}).${said}`;
  return new FoundryError("UNAUTHORIZED", message, { status, retryAfterMs, action: advice });
}

/** What came instead of a list of models. */
interface OddAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly retryAfterMs?: number | null;
}

/** Empty for a page, and where there are none. */
const wordsOf = (body: string): string =>
  /^\s*(?:<|$)/.test(body) ? "" : errorWordsOf(body, "", " ").text.replace(/^no message$/, "");

/** What a body is, for people, without quoting it. */
export function kindOf(answer: { readonly body: string }): string {
  const body = answer.body.trim();
  if (body === "") return "nothing";
  if (/^<(!doctype|html|\?xml)/i.test(body)) return "a web page";
  if (answerFrom(answer.body) !== undefined) return "other JSON";
  if (body.startsWith("{") || body.startsWith("[")) return "broken JSON";
  return "other text";
}

/** The error for a server that gave no list of models, by its answer to `GET /v1/models`. */
export function notFoundry(
  { baseUrl, secrets }: Pick<HttpTransport, "baseUrl" | "secrets">,
  models: OddAnswer,
): FoundryError {
  const { status, headers = {} } = models;
  const retryAfterMs = models.retryAfterMs ?? retryAfterMsOf(headers);
  const options = { status, retryAfterMs };
  const words = wordsOf(secrets.hide(models.body));
  if (status === 401 || status === 403 || NO_DATABASE.test(models.body.slice(0, 2000))) {
    return unauthorized(
      baseUrl,
      `${baseUrl} requires credentials, or refused those that are set (HTTP ${status}).`,
      words,
      options,
      "Set the option `apiKey` to a key of this service, or correct it.",
    );
  }
  // Starlette and text-generation-webui refuse the name of the host with 400, others with 403.
  if (status === 400 && /\bhost header\b/i.test(words)) {
    return unauthorized(baseUrl, "", words, options);
  }
  const detail = secrets.hide(models.body).slice(0, 2000);
  const passing = (code: ErrorCode, what: string, otherwise: string): FoundryError =>
    new FoundryError(code, `${baseUrl} ${what} (HTTP ${status}).${saidBy(words)}`, {
      ...options,
      action: retryAfterMs === null ? otherwise : `Try again in ${formatWait(retryAfterMs)}.`,
      retryable: true,
      detail,
    });
  if (status === 408 || status === 429 || status === 529) {
    return passing("SERVICE_BUSY", "is busy", "Try again in a while.");
  }
  if (status >= 500 && status !== NOT_IMPLEMENTED) {
    const wait = "Wait a moment and try again; restart the service if that does not help.";
    return passing("SERVICE_ERROR", "answers, but only with errors", wait);
  }
  const target = redirectTarget(headers["location"], baseUrl);
  if (target !== null && status >= 300 && status < 400) {
    return redirected(baseUrl, `redirected to ${secrets.hide(target)}`, status);
  }
  return new FoundryError(
    "NOT_FOUNDRY",
    `Something answers at ${baseUrl}, but it is neither Foundry Local nor an OpenAI-compatible engine: /v1/models gave HTTP ${status} with ${kindOf(models)}.`,
    { status, action: adviceFor(baseUrl), detail },
  );
}

const NOT_IMPLEMENTED = 501;

/** @param what `redirected to` and the target, as the transport words it. */
export function redirected(source: string, what: string, status: number): FoundryError {
  return new FoundryError(
    "NOT_FOUNDRY",
    `${source} answered with HTTP ${status}: ${what}. Redirects are followed only within the address that is set, and not in a circle: keys and prompts are sent nowhere else.`,
    {
      status,
      action:
        "If the service is at the other address, set the option `endpoint` to its base address.",
    },
  );
}

function adviceFor(baseUrl: string): string {
  const { pathname } = new URL(baseUrl);
  const path =
    pathname === "/" ? "" : ` Leave the path ${pathname} out if the API of the service is at /v1.`;
  return `Set the option \`endpoint\` to the base address of Foundry Local or of an OpenAI-compatible engine, such as http://127.0.0.1:5273.${path} If it is an engine without a list of models, name a model in \`complete\`.`;
}
