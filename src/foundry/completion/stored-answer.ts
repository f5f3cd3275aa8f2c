import { jsonFrom } from "../../lib/index.js";
import type { Completion, StoredAnswer } from "./completion.js";

/** A completion with an answer of the cache in place of one of the service. */
export function withStored(own: Completion, stored: StoredAnswer): Completion {
  const { ageMs, warnings, ...answer } = stored;
  return {
    ...own,
    ...answer,
    ...(answer.method === undefined ? {} : { data: jsonFrom(answer.text) }),
    timing: { ...own.timing, queuedMs: 0, loadMs: 0 },
    attempts: 0,
    cached: true,
    cacheAgeMs: ageMs,
    warnings: [...new Set([...own.warnings, ...warnings])],
  };
}
