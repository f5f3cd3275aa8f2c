import { pause, toFoundryError } from "../../lib/index.js";
import type { KnownModel } from "../models/index.js";
import type { Service } from "../service/index.js";
import { notListed } from "./failures.js";
import type { DownloadLimits } from "./limits.js";

/**
 * Whether the service has the model now; `null` where it does not say.
 *
 * @throws FoundryError when the request failed.
 */
async function isDownloaded(
  service: Service,
  { id, name, family }: KnownModel,
  signal: AbortSignal,
): Promise<boolean | null> {
  const { models } = await service.models.available({ signal });
  const listed =
    models.find((model) => model.id === id && model.family === family) ??
    // C1 lists bare names, and what was just downloaded may be of another catalog than ours (#232).
    models.find(
      (model) => model.name === name && model.family === family && model.version === null,
    );
  return listed === undefined ? false : listed.downloaded;
}

/** Whether the service certainly has the model now; `false` also where its list does not arrive. */
export const hasModel = async (
  service: Service,
  model: KnownModel,
  signal: AbortSignal,
): Promise<boolean> => (await isDownloaded(service, model, signal).catch(() => null)) === true;

/**
 * Waits until the service lists what was downloaded: it cannot be loaded before.
 *
 * @throws FoundryError `DOWNLOAD_FAILED` when the time is over, or the last error of the list.
 */
export async function untilListed(
  service: Service,
  model: KnownModel,
  { graceMs, pollMs }: Pick<DownloadLimits, "graceMs" | "pollMs">,
  signal: AbortSignal,
): Promise<void> {
  const until = performance.now() + graceMs;
  for (;;) {
    const isOver = performance.now() >= until;
    const answer = await isDownloaded(service, model, signal).catch((error: unknown) => {
      // A service that is followed is found again by the caller, and the model with it.
      if (isOver || signal.aborted || service.isGone(toFoundryError(error))) throw error;
      return false;
    });
    // Where the service does not say, the download's own success has to do.
    if (answer !== false) return;
    if (isOver) throw notListed(model);
    await pause(Math.min(pollMs, 1000), signal);
  }
}
