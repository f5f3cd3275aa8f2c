import { createHash } from "node:crypto";
import type { CompletionRequest } from "../foundry/index.js";

/**
 * A key that is equal for identical requests. It is a hash, since a prompt may be megabytes long.
 * `null` for a value that is not a request, which is refused when it begins.
 */
export function requestKey(request: CompletionRequest): string | null {
  try {
    const members = Object.entries(request).filter(([, value]) => value !== undefined);
    const sorted = JSON.stringify(members.sort(([a], [b]) => (a < b ? -1 : 1)));
    return createHash("sha256").update(sorted).digest("base64");
  } catch {
    return null;
  }
}
