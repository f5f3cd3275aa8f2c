import { setTimeout } from "node:timers/promises";
import type { HttpTransport } from "../../../http/index.js";
import {
  cancelledError,
  FoundryError,
  formatDuration,
  isCancellation,
  toFoundryError,
} from "../../../lib/index.js";
import type { KnownModel } from "../../models/index.js";
import type { Call, DownloadCall } from "../dialect.js";
import { about, downloadFailed, errorOfFailure } from "../failures.js";
import { sanitizeMessage } from "../sanitize-message.js";
import type { CatalogEntry, ServiceCatalog } from "./catalog.js";
import { DownloadAnswer } from "./download-stream.js";

/** The parts of the dialect that a download uses. */
export interface DownloadSource {
  readonly transport: HttpTransport;
  readonly catalog: ServiceCatalog;
  readonly cachedIds: (call: Call) => Promise<readonly string[]>;
}

/** The limit of a request for the downloaded models. */
const CACHED_IDS_MS = 30_000;
/** The interval between requests for a download that another client has begun. */
const RETRY_MS = 1000;

/**
 * `POST /openai/download` of the legacy service (CLI 0.8 or before). The answer is progress for up to
 * hours, and a result. The result can be lost though the download is complete, so the list of
 * downloaded models decides.
 *
 * @throws FoundryError `DOWNLOAD_FAILED`, `MODEL_NOT_FOUND`, `CANCELLED` …
 */
export async function downloadFromService(
  { transport, catalog, cachedIds }: DownloadSource,
  model: KnownModel,
  call: DownloadCall,
): Promise<void> {
  const { signal, onPercent } = call;
  const isCached = async (): Promise<boolean> => {
    const cached = await cachedIds({ limits: { wholeMs: CACHED_IDS_MS }, signal });
    return cached.some((id) => id.toLowerCase() === model.id.toLowerCase());
  };
  if (await isCached()) {
    onPercent(100);
    return;
  }
  const entry = await catalog.find(model.id, signal);
  if (entry === null) throw notInCatalog(model);

  const until = performance.now() + call.stallMs;
  for (;;) {
    const { percent, problem, isElsewhere } = await receive(transport, model, entry, call);
    if (problem === null || (await isCached().catch(falseUnlessCancelled))) {
      if (percent !== 100) onPercent(100);
      return;
    }
    // A cancelled download may go on in the service (#365), without progress that we could read.
    if (!isElsewhere || performance.now() + RETRY_MS > until) throw problem;
    await setTimeout(RETRY_MS, undefined, { signal }).catch(() => {
      throw cancelledError();
    });
  }
}

interface Received {
  readonly percent: number | null;
  /** `null` where the service reported success. */
  readonly problem: FoundryError | null;
  /** Another client's download of the model is running, so this one was refused. */
  readonly isElsewhere: boolean;
}

/** Guesses: the message of the legacy service for it is not known. */
const IS_ELSEWHERE = /already (?:being )?download(?:ing)?\b|downloaded already|in progress/i;

async function receive(
  transport: HttpTransport,
  model: KnownModel,
  entry: CatalogEntry,
  call: DownloadCall,
): Promise<Received> {
  const answer = new DownloadAnswer();
  const failed = (reason: string, options?: Parameters<typeof downloadFailed>[3]): Received => ({
    percent: answer.percent,
    problem: downloadFailed(model.id, reason, answer.percent, options),
    isElsewhere: false,
  });
  let isAccepted = false;
  try {
    const chunks = await transport.text({
      method: "POST",
      path: "/openai/download",
      body: requestFor(model, entry),
      limits: { firstByteMs: call.stallMs, silenceMs: call.stallMs },
      signal: call.signal,
      trace: call.trace,
      // Two downloads of one model at a time can corrupt each other.
      retry: false,
      toError: (failure) => errorOfFailure(failure, about("download", model)),
    });
    isAccepted = true;
    if (await hasStalled(chunks, answer, call)) return failed(stalledFor(call.stallMs));
  } catch (thrown) {
    const error = toFoundryError(thrown);
    if (isCancellation(error)) throw error;
    const options = { cause: error, ...detailOf(error.detail) };
    if (error.code === "TIMEOUT" && error.phase !== "connect") {
      return failed(stalledFor(call.stallMs), options);
    }
    // The request itself failed, and its error says why.
    if (!isAccepted) return { percent: null, problem: error, isElsewhere: false };
    return failed("The connection to the service broke off.", options);
  }
  const { percent, result } = answer;
  if (result === null) {
    return failed("The service ended its answer without saying that the download is complete.");
  }
  if (result.success) return { percent, problem: null, isElsewhere: false };
  const detail = transport.secrets.hide(result.error ?? "");
  const message = sanitizeMessage(detail);
  if (percent === null && IS_ELSEWHERE.test(message)) {
    return { percent, problem: elsewhere(model, message), isElsewhere: true };
  }
  const reason = message === "" ? "The service gave no reason." : `It said: ${message}`;
  return failed(reason, detailOf(detail || null));
}

/** Reads the answer to its end or result, and passes its progress on. `true`: there was none for too long. */
async function hasStalled(
  chunks: AsyncIterable<string>,
  answer: DownloadAnswer,
  { stallMs, onPercent }: DownloadCall,
): Promise<boolean> {
  let reported: number | null = null;
  let progressAt = performance.now();
  const report = (): void => {
    if (answer.percent === reported) return;
    reported = answer.percent;
    onPercent(reported);
  };
  for await (const chunk of chunks) {
    const now = performance.now();
    if (answer.push(chunk)) progressAt = now;
    report();
    if (answer.result !== null) break;
    // Blank and repeated lines are no progress.
    if (now - progressAt > stallMs) return true;
  }
  answer.end();
  report();
  return false;
}

/** The members that Microsoft's own client sends. */
const requestFor = (model: KnownModel, entry: CatalogEntry) => ({
  model: {
    Name: model.id,
    Uri: entry.uri ?? "",
    Publisher: entry.publisher ?? "",
    ProviderType: `${entry.providerType ?? "AzureFoundry"}Local`,
    PromptTemplate: entry.promptTemplate ?? null,
  },
  // Without it, the progress goes to a named pipe.
  IgnorePipeReport: true,
});

const detailOf = (detail: string | null) => (detail === null ? {} : { detail });

const stalledFor = (ms: number): string =>
  `The download made no progress for ${formatDuration(ms)}.`;

/** A failed check proves nothing, but a cancellation is passed on. */
function falseUnlessCancelled(thrown: unknown): false {
  if (thrown instanceof FoundryError && isCancellation(thrown)) throw thrown;
  return false;
}

const elsewhere = (model: KnownModel, message: string): FoundryError =>
  new FoundryError(
    "DOWNLOAD_FAILED",
    `${model.id} was not downloaded by this call, since the service is downloading it already. It said: ${message}`,
    {
      action: "Wait until `listModels` shows it as downloaded, then call `loadModel` again.",
      retryable: true,
    },
  );

const notInCatalog = (model: KnownModel): FoundryError =>
  new FoundryError(
    "MODEL_NOT_FOUND",
    `${model.id} is not in the service's catalog, so it cannot be downloaded.`,
    { action: "Choose another model: `listModels` lists them." },
  );
