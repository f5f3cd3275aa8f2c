import {
  errorWordsOf,
  type HttpTransport,
  redirectTarget,
  retryAfterMsOf,
} from "../../http/index.js";
import { FoundryError, formatWait } from "../../lib/index.js";
import { kindOf } from "./answers.js";
import { NO_DATABASE, saidBy } from "./failure-rules.js";
import { unauthorized } from "./unauthorized.js";

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

/** The error for a server that gave no list of models, by its answer to `GET /v1/models`. */
export function notFoundry(
  { baseUrl, secrets }: Pick<HttpTransport, "baseUrl" | "secrets">,
  models: OddAnswer,
): FoundryError {
  const { status, headers = {} } = models;
  const retryAfterMs = models.retryAfterMs ?? retryAfterMsOf(headers);
  const options = { status, ...(retryAfterMs === null ? {} : { retryAfterMs }) };
  const tryAgain = (other: string): string =>
    retryAfterMs === null ? other : `Try again in ${formatWait(retryAfterMs)}.`;
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
  const detail = secrets.hide(models.body).slice(0, 2000);
  const said = saidBy(words);
  if (status === 408 || status === 429 || status === 529) {
    return new FoundryError("SERVICE_BUSY", `${baseUrl} is busy (HTTP ${status}).${said}`, {
      ...options,
      action: tryAgain("Try again in a while."),
      retryable: true,
      detail,
    });
  }
  if (status >= 500 && status !== NOT_IMPLEMENTED) {
    return new FoundryError(
      "SERVICE_ERROR",
      `${baseUrl} answers, but only with errors (HTTP ${status}).${said}`,
      {
        ...options,
        action: tryAgain("Wait a moment and try again; restart the service if that does not help."),
        retryable: true,
        detail,
      },
    );
  }
  const target = redirectTarget(models.headers?.["location"], baseUrl);
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
