import { isRefused } from "../../http/index.js";
import type { FoundryError, Operation } from "../../lib/index.js";

/** The attempts of one call, on one connection after the other. */
export interface Attempts {
  /** How many were made again. */
  retries: number;
  /** The service's count of changes when the current attempt began. */
  changes: number;
  /** How often the service died of a request. */
  deaths: number;
}

export const noAttempts = (): Attempts => ({ retries: 0, changes: 0, deaths: 0 });

/** The request of an operation of which the service may die, in words; `null` for other operations. */
export function requestOf(operation: Operation | null | undefined): string | null {
  if (operation === "load") return "this load";
  return operation === "embed" ? "this request for embeddings" : null;
}

/**
 * Takes note of a failure of which the service may have died.
 *
 * @param request The request in words, such as "this request to phi-4-mini".
 * @returns the error in its final words when it has died twice; else `null`.
 */
export function afterDeath(
  error: FoundryError,
  attempts: Attempts,
  request: string,
): FoundryError | null {
  // An earlier attempt reached the service, and nothing listens there any more.
  const isDead = isRefused(error)
    ? error.attempts > 1
    : error.code === "CIRCUIT_OPEN" && error.attempts > 0;
  if (!isDead) return null;
  attempts.deaths += 1;
  if (attempts.deaths < 2) return null;
  return error.reworded({
    code: "SERVER_CRASHED",
    message: `The service died of ${request} twice, so it is not sent again.`,
    action: "Try another variant or another model. If the prompt is long, shorten it.",
    retryable: false,
  });
}
