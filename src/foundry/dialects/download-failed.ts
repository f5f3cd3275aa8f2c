import { FoundryError, type FoundryErrorOptions } from "../../lib/index.js";

/**
 * A download that did not come to its end. Services keep what is there and go on from it.
 *
 * @param why A sentence.
 * @param percent How far it came; `null` where that is not known.
 */
export function downloadFailed(
  model: string,
  why: string,
  percent: number | null,
  options: Omit<FoundryErrorOptions, "action" | "retryable"> = {},
): FoundryError {
  const reached = percent === null ? "" : ` It came to ${Math.floor(percent)} %.`;
  return new FoundryError("DOWNLOAD_FAILED", `${model} was not downloaded. ${why}${reached}`, {
    ...options,
    action:
      "Check the network and the free space on the disk, then download it again: it goes on from what is there.",
    retryable: true,
  });
}
