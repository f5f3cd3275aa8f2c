import { setTimeout } from "node:timers/promises";
import type { HttpTransport } from "../../../http/index.js";
import {
  cancelledError,
  FoundryError,
  formatDuration,
  toFoundryError,
} from "../../../lib/index.js";
import type { KnownModel } from "../../models/index.js";
import type { Call, DownloadCall } from "../dialect.js";
import { downloadFailed } from "../download-failed.js";
import { about, errorOfFailure } from "../failures.js";
import { sanitizeMessage } from "../sanitize-message.js";
import type { CatalogEntry, ServiceCatalog } from "./catalog.js";
import { DownloadAnswer } from "./download-stream.js";

/** What a download needs of the dialect. */
export interface DownloadSource {
  readonly transport: HttpTransport;
  readonly catalog: ServiceCatalog;
  readonly cachedIds: (call: Call) => Promise<readonly string[]>;
}

/** For the question about downloaded models before and after. */
const QUICK_MS = 30_000;
/** How often a download that somebody else has begun is asked for again. */
const ASK_AGAIN_MS = 1000;

/**
 * `POST /openai/download` of S. The answer is progress over hours and one word at the end; its end
 * can be lost while the download is whole, so that what is downloaded has the last word.
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
    const cached = await cachedIds({ limits: { wholeMs: QUICK_MS }, signal });
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
    const received = await receive(transport, model, entry, call, new DownloadAnswer());
    const { percent, problem, isElsewhere } = received;
    if (problem === null || (await isCached().catch(unlessOver))) {
      if (percent !== 100) onPercent(100);
      return;
    }
    // One that was cancelled may go on without us (#365), and tells nobody how far it is.
    if (!isElsewhere || performance.now() + ASK_AGAIN_MS > until) throw problem;
    await setTimeout(ASK_AGAIN_MS, undefined, { signal }).catch(() => {
      throw cancelledError();
    });
  }
}

interface Received {
  readonly percent: number | null;
  /** `null` where the service said that all is well. */
  readonly problem: FoundryError | null;
  /** Somebody else is at it, so that it was not begun for us. */
  readonly isElsewhere: boolean;
}

/** Nobody wrote down the words of S for it. */
const IS_ELSEWHERE = /already (?:being )?download(?:ing)?\b|downloaded already|in progress/i;

async function receive(
  transport: HttpTransport,
  model: KnownModel,
  entry: CatalogEntry,
  { signal, stallMs, onPercent }: DownloadCall,
  answer: DownloadAnswer,
): Promise<Received> {
  const failed = (why: string, cause?: FoundryError): Received => {
    const options = cause === undefined ? {} : { cause, ...detailOf(cause.detail) };
    return {
      percent: answer.percent,
      problem: downloadFailed(model.id, why, answer.percent, options),
      isElsewhere: false,
    };
  };
  let isTaken = false;
  try {
    const stream = await transport.text({
      method: "POST",
      path: "/openai/download",
      body: requestFor(model, entry),
      limits: { firstByteMs: stallMs, silenceMs: stallMs },
      signal,
      // Two downloads of one model at a time can spoil each other.
      retry: false,
      toError: (failure) => errorOfFailure(failure, about("download", model)),
    });
    isTaken = true;
    let told: number | null = null;
    let newsAt = performance.now();
    const tell = (): void => {
      if (answer.percent === told) return;
      told = answer.percent;
      onPercent(told);
    };
    for await (const piece of stream) {
      const now = performance.now();
      if (answer.push(piece)) newsAt = now;
      tell();
      if (answer.result !== null) break;
      // Blank lines and the same one over and over are no progress.
      if (now - newsAt > stallMs) return failed(stalledFor(stallMs));
    }
    answer.end();
    tell();
  } catch (thrown) {
    const error = toFoundryError(thrown);
    if (isOver(error)) throw error;
    if (error.code === "TIMEOUT" && error.phase !== "connect") {
      return failed(stalledFor(stallMs), error);
    }
    // Refused, or never begun: that is worded already, and is not about the download.
    if (!isTaken) return { percent: null, problem: error, isElsewhere: false };
    return failed("The connection to the service broke off.", error);
  }
  if (answer.result === null) {
    return failed("The service ended its answer without saying that the download is complete.");
  }
  const { percent } = answer;
  if (answer.result.success) return { percent, problem: null, isElsewhere: false };
  const error = transport.secrets.hide(answer.result.error ?? "");
  const words = sanitizeMessage(error);
  if (percent === null && IS_ELSEWHERE.test(words)) {
    return { percent, problem: elsewhere(model, words), isElsewhere: true };
  }
  const why = words === "" ? "The service gave no reason." : `It said: ${words}`;
  const problem = downloadFailed(model.id, why, percent, detailOf(error || null));
  return { percent, problem, isElsewhere: false };
}

/** The members that Microsoft's own client sends, by the names that it gives them. */
const requestFor = (model: KnownModel, entry: CatalogEntry) => ({
  model: {
    Name: model.id,
    Uri: entry.uri ?? "",
    Publisher: entry.publisher ?? "",
    ProviderType: `${entry.providerType ?? "AzureFoundry"}Local`,
    PromptTemplate: entry.promptTemplate ?? null,
  },
  // Else its progress goes to a pipe.
  IgnorePipeReport: true,
});

const detailOf = (detail: string | null) => (detail === null ? {} : { detail });

const stalledFor = (ms: number): string =>
  `The download made no progress for ${formatDuration(ms)}.`;

const isOver = ({ code }: FoundryError): boolean =>
  code === "CANCELLED" || code === "CLIENT_CLOSED";

/** A question that fails proves nothing, unless the caller has had enough. */
function unlessOver(thrown: unknown): false {
  if (thrown instanceof FoundryError && isOver(thrown)) throw thrown;
  return false;
}

const elsewhere = (model: KnownModel, words: string): FoundryError =>
  new FoundryError(
    "DOWNLOAD_FAILED",
    `${model.id} was not downloaded by this call, since the service is at it already. It said: ${words}`,
    {
      action: "Wait until list_models shows it as downloaded, then call load_model again.",
      retryable: true,
    },
  );

const notInCatalog = (model: KnownModel): FoundryError =>
  new FoundryError(
    "MODEL_NOT_FOUND",
    `${model.id} is not in the service's catalog, so it cannot be downloaded.`,
    { action: "Choose a model that list_models shows." },
  );
