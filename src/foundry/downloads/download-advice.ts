import { toFoundryError } from "../../lib/index.js";
import { type KnownModel, shortName } from "../models/index.js";
import { type DownloadContext, selectDownloadMethod } from "./download-method.js";
import type { DownloadLimits } from "./limits.js";

/** Time limit for the question whether a download is possible, in milliseconds. */
const ADVICE_MS = 5000;

/** How to download a model: the call that does it, or why no call can and what to do then. */
export async function downloadAdvice(
  model: KnownModel,
  context: DownloadContext,
  limits: DownloadLimits,
): Promise<string> {
  const name = shortName(model);
  let command = `, or run \`foundry model download ${name}\``;
  try {
    const end = AbortSignal.timeout(ADVICE_MS);
    const { stage } = await selectDownloadMethod(model, context, limits, end);
    if (stage === "embedded") command = "";
  } catch (thrown) {
    const { code, message, action } = toFoundryError(thrown);
    if (code === "DOWNLOAD_UNAVAILABLE") return `${message} ${action}`;
    // Otherwise it is unknown, and the call itself reports what is wrong.
  }
  return `To download ${name}, call \`loadModel\` with model "${name}" and download true${command}. It may be gigabytes, so ask the user first.`;
}
