import { setTimeout } from "node:timers/promises";
import { isRefused } from "../../http/index.js";
import { cancelledError, toFoundryError } from "../../lib/index.js";
import type { KnownModel } from "../models/index.js";
import type { Service } from "../service/index.js";
import { notListed } from "./failures.js";

/** How long a download that has ended may take to be listed, and how often it is looked. */
export interface Grace {
  readonly graceMs: number;
  readonly pollMs: number;
}

/**
 * Whether the service has the model now; `null` where it does not tell.
 *
 * @throws FoundryError when it could not be asked.
 */
export async function isDownloaded(
  service: Service,
  { id, name, family }: KnownModel,
  signal: AbortSignal,
): Promise<boolean | null> {
  const { models } = await service.listAvailable(signal);
  const listed =
    models.find((model) => model.id === id && model.family === family) ??
    // C1 lists bare names, and what was just downloaded may be of another catalog than ours (#232).
    models.find(
      (model) => model.name === name && model.family === family && model.version === null,
    );
  return listed === undefined ? false : listed.downloaded;
}

/**
 * Waits until the service lists what was downloaded: only then it can be loaded.
 *
 * @throws FoundryError `DOWNLOAD_FAILED` when it does not, or what its list failed with.
 */
export async function untilListed(
  service: Service,
  model: KnownModel,
  { graceMs, pollMs }: Grace,
  signal: AbortSignal,
): Promise<void> {
  const until = performance.now() + graceMs;
  for (;;) {
    const isOver = performance.now() >= until;
    const answer = await isDownloaded(service, model, signal).catch((error: unknown) => {
      if (isOver || signal.aborted || hasMoved(service, error)) throw error;
      return false;
    });
    // Where nobody can tell, the word of whoever downloaded it has to do.
    if (answer !== false) return;
    if (isOver) throw notListed(model);
    await setTimeout(Math.min(pollMs, 1000), undefined, { signal }).catch(() => {
      throw cancelledError();
    });
  }
}

/** Whoever follows the service finds it again, and the model with it. */
function hasMoved({ isFollowed }: Service, thrown: unknown): boolean {
  const error = toFoundryError(thrown);
  return isFollowed && (isRefused(error) || error.code === "CIRCUIT_OPEN");
}
