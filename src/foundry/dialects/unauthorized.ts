import { FoundryError } from "../../lib/index.js";
import { saidBy } from "./failure-rules.js";

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
  options: { readonly status: number; readonly retryAfterMs?: number },
  action = CHECK,
): FoundryError {
  const shown = NO_REASON.test(words.trim()) ? "" : withoutKeys(words);
  const advice = ADVICE.find(([pattern]) => pattern.test(shown))?.[1] ?? action;
  const said = saidBy(shown);
  const message =
    said === "" ? bare : `${source} refused the request (HTTP ${options.status}).${said}`;
  return new FoundryError("UNAUTHORIZED", message, {
    status: options.status,
    ...(options.retryAfterMs === undefined ? {} : { retryAfterMs: options.retryAfterMs }),
    action: advice,
  });
}
