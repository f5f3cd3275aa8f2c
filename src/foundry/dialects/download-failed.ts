import { FoundryError, type FoundryErrorOptions } from "../../lib/index.js";

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
