import {
  type Device,
  type KnownModel,
  type StatusUpdate,
  shortName,
} from "../../../foundry/index.js";
import type { LoadRun, LoadState } from "../../../jobs/index.js";
import { FoundryError, formatMegabytes } from "../../../lib/index.js";
import type { ToolContext } from "../../tool.js";
import { UserQuestion } from "../../user-questions.js";

const DOWNLOAD = "download";

/** The model of a call, as it was given. */
interface Wanted {
  readonly model?: string | undefined;
  readonly models?: readonly string[] | undefined;
  readonly device?: Device | undefined;
}

/** Whether the user has agreed to download the model of this call. */
export const isDownloadAgreed = ({ userAnswerTo }: ToolContext): boolean =>
  userAnswerTo?.(DOWNLOAD) === "accept";

/**
 * Asks the user whether to download the model that is missing, where the host can ask and the model
 * can be downloaded.
 *
 * @returns the error of the call: the same, or that the user declined.
 * @throws UserQuestion
 */
export async function orDownload(
  error: FoundryError,
  wanted: Wanted,
  context: ToolContext,
): Promise<FoundryError> {
  const { userAnswerTo } = context;
  if (error.code !== "MODEL_NOT_CACHED" || userAnswerTo === undefined) return error;
  const answer = userAnswerTo(DOWNLOAD);
  if (answer === "decline") return declined(error);
  if (answer !== null) return error;
  const offer = await offerFor(wanted, context);
  if (offer === null) return error;
  const size = offer.sizeMb === null ? "" : ` (${formatMegabytes(offer.sizeMb)})`;
  throw new UserQuestion(
    DOWNLOAD,
    `Download ${shortName(offer)}${size}? It is not downloaded yet.`,
  );
}

/** The first model of a call that is missing and can be downloaded. */
async function offerFor(
  { model, models = [], device }: Wanted,
  { client, signal, trace }: ToolContext,
): Promise<KnownModel | null> {
  const names = model === undefined && models.length > 0 ? models : [model, ...models];
  for (const name of names) {
    const offer = await client.service
      .downloadOffer(name, { device, signal, trace })
      .catch(() => null);
    if (offer !== null) return offer;
  }
  return null;
}

const declined = (error: FoundryError): FoundryError =>
  error.reworded({
    message: `${error.message} The user declined the download.`,
    action: "Use a downloaded model, which `listModels` lists, or do without. Do not ask again.",
  });

/**
 * Downloads the model of a call, if the user has agreed to that.
 *
 * @throws FoundryError `MODEL_NOT_CACHED` while it is not there in time; the download goes on.
 */
export async function downloadAgreed(
  wanted: Wanted,
  withinMs: number,
  context: ToolContext,
): Promise<void> {
  if (!isDownloadAgreed(context)) return;
  const { client, signal, trace, progress, identify } = context;
  const offer = await offerFor(wanted, context);
  // It is there already.
  if (offer === null) return;
  const { loads } = client;
  const load = loads.start(offer.id, { download: true, trace });
  identify(trace.id);
  const onStatus = (news: StatusUpdate): void => progress.news(news, "Loading it");
  const state = await loads.wait(load, { withinMs, signal, onStatus }).catch((thrown: unknown) => {
    if (signal.aborted) leaveLoad(load, context);
    throw thrown;
  });
  if (state.error !== null) throw state.error;
  if (state.status !== "loaded" && state.status !== "already_loaded") throw notThereYet(state);
}

function notThereYet({ model, percent }: LoadState): FoundryError {
  const howFar = percent === null ? "" : `: ${percent.toFixed(1)} %`;
  return new FoundryError("MODEL_NOT_CACHED", `${model} is being downloaded${howFar}.`, {
    action: `Call \`loadModel\` with model "${model}" and download true to wait for it, then repeat this call.`,
    retryable: true,
  });
}

/** What becomes of a load whose call the host has cancelled. */
export function leaveLoad(
  load: LoadRun,
  { client: { loads }, cancellation, afterGrace }: ToolContext,
): void {
  const meant = cancellation();
  if (meant === "stop") loads.stop(load);
  if (meant !== "unclear") return;
  const { waits } = load;
  afterGrace(() => {
    if (load.waits === waits) loads.stop(load);
  });
}
