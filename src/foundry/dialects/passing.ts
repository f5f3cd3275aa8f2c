import type { FoundryError } from "../../lib/index.js";

/** Whether waiting helps after an error: what its status and its words say of time. */

/** The status that an error inside a 200 names, as a number or by its type; `null`: none. */
export function statusIn(kinds: readonly string[]): number | null {
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
export function pauseIn(message: string): number | null {
  const { minutes, amount, unit } =
    /(?:try again|retry) (?:in|after) (?:(?<minutes>\d{1,4}) ?m(?!s)(?:in(?:utes?)?)? ?)?(?:(?<amount>\d{1,6}(?:\.\d{1,6})?) ?(?<unit>ms|s))?/i.exec(
      message,
    )?.groups ?? {};
  const factor = unit?.toLowerCase() === "ms" ? 1 : 1000;
  const pauseMs = Number(minutes ?? 0) * 60_000 + Math.ceil(Number(amount ?? 0) * factor);
  return pauseMs === 0 ? null : pauseMs;
}

/** Words of a service that has no time now, where it gives no status. */
export const BUSY =
  /rate limit|too many requests|overloaded|server (?:is )?busy|temporarily unavailable|queue is full|try again later/i;

/** A load that the service has begun by itself: llama.cpp answers so to every request. */
export const LOADING =
  /(?<!failed |error |while |unable to )loading model|model (?:\S+ )?is (?:still |currently )?(?:being loaded|loading)/i;

/** Whether an error says that the service is loading a model, so that it can be waited for. */
export const isLoading = ({ code, status, detail }: FoundryError): boolean =>
  code === "SERVICE_BUSY" && status === 503 && LOADING.test(detail ?? "");
