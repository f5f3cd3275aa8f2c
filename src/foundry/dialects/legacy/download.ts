import * as z from "zod";
import type { HttpTransport } from "../../../http/index.js";
import {
  FoundryError,
  formatDuration,
  isCancellation,
  jsonFrom,
  pause,
  toFoundryError,
} from "../../../lib/index.js";
import type { KnownModel } from "../../models/index.js";
import type { Call, DownloadCall } from "../dialect.js";
import { about, downloadFailed, errorOfFailure } from "../failures.js";
import { sanitizeMessage } from "../sanitize-message.js";
import type { CatalogEntry, ServiceCatalog } from "./catalog.js";

/** The parts of the dialect that a download uses. */
interface DownloadSource {
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
): Promise<"downloaded" | "already_downloaded"> {
  const { signal, onPercent } = call;
  const isCached = async (): Promise<boolean> => {
    const cached = await cachedIds({ limits: { wholeMs: CACHED_IDS_MS }, signal });
    return cached.some((id) => id.toLowerCase() === model.id.toLowerCase());
  };
  if (await isCached()) {
    onPercent(100);
    return "already_downloaded";
  }
  const entry = await catalog.find(model.id, signal);
  if (entry === null) throw notInCatalog(model);

  const until = performance.now() + call.stallMs;
  for (;;) {
    const { percent, problem, isElsewhere } = await receive(transport, model, entry, call);
    if (problem === null || (await isCached().catch(falseUnlessCancelled))) {
      if (percent !== 100) onPercent(100);
      return "downloaded";
    }
    // A cancelled download may go on in the service (#365), without progress that we could read.
    if (!isElsewhere || performance.now() + RETRY_MS > until) throw problem;
    await pause(RETRY_MS, signal);
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
    const options = { cause: error, detail: error.detail };
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
  return failed(reason, { detail: detail || null });
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

// A bound on the digits: without it, a long line of digits takes quadratic time.
const PERCENT = /(\d{1,20}(?:[.,]\d{1,20})?)\s?%/;
const FRACTION = /\("[^"]*",\s{0,9}(\d{1,20}(?:[.,]\d{1,20})?(?:e-?\d{1,3})?)\)/gi;
const NEWLINE = /\r\n|\n|\r/;
const RESULT_BEGIN = /\{\s*(?:"|$)/;
const PROGRESS_BEGIN = /^\s*(?:Total\b|\(")/i;
/** The last character of a percentage, a fraction or a result. */
const TOKEN_END = /[%)}]/;
/** A bound on a line or a result that does not end. */
const LONGEST = 64 * 1024;
/** Lines of a result at which it may end; at each, all of it is parsed. It has one or two. */
const MOST_TRIES = 20;

const text = z.string().nullish().catch(null);
const resultSchema = z
  .record(z.string(), z.unknown())
  // The reference writes Success and ErrorMessage, Microsoft's own client reads success and error.
  .transform((members) =>
    Object.fromEntries(Object.entries(members).map(([key, value]) => [key.toLowerCase(), value])),
  )
  .pipe(z.object({ success: z.boolean(), error: text, errormessage: text }))
  .transform(({ success, error, errormessage }) => ({
    success,
    /** The service's message. */
    error: error || errormessage || null,
  }));

/**
 * The answer of the legacy service (CLI 0.8 or before) to a download: lines such as
 * `Total 76.268% Downloading v3/model.onnx` with blank lines between (#232), or `("model.onnx", 0.01)`
 * by the reference of 2025, and one JSON object at the end. Chunks are cut anywhere. The decimal
 * separator may be a comma.
 */
export class DownloadAnswer {
  /** 0 to 100, never less than before; `null` until the service reports it. */
  percent: number | null = null;
  /** The result; `null` before it has arrived. */
  result: z.output<typeof resultSchema> | null = null;

  #line = "";
  #lastLine = "";
  /** The received part of the result; `null` before it begins. */
  #json: string | null = null;
  /** How often it was parsed. */
  #tries = 0;

  /** Takes a chunk of the answer. Returns whether it is progress. */
  push(chunk: string): boolean {
    const [first = "", ...more] = chunk.split(NEWLINE);
    const lines = [this.#line + first, ...more];
    const last = lines.pop() ?? "";
    // Truncated only at twice the bound, because truncating copies the text.
    const rest = last.length > 2 * LONGEST ? last.slice(-LONGEST) : last;
    this.#line = rest;
    const before = this.percent;
    let isProgress = false;
    for (const line of lines) isProgress = this.#take(line) || isProgress;
    if (this.#json === null && TOKEN_END.test(chunk)) this.#takeTail(rest);
    return isProgress || this.percent !== before || this.result !== null;
  }

  /** Call at the end of the answer: its last line may have no line break. */
  end(): void {
    this.#take(this.#line);
    this.#line = "";
  }

  #take(line: string): boolean {
    if (this.result !== null || line.trim() === "") return false;
    if (this.#json !== null && PROGRESS_BEGIN.test(line)) this.#json = null;
    const isProgress = line !== this.#lastLine;
    this.#lastLine = line;
    const begin = this.#json === null ? line.search(RESULT_BEGIN) : 0;
    if (begin < 0) {
      this.#takeProgress(line);
      return isProgress;
    }
    if (this.#json === null) {
      this.#takeProgress(line.slice(0, begin));
      this.#tries = 0;
    }
    const json = this.#json ?? "";
    if (json.length >= LONGEST) return isProgress;
    this.#json = `${json}${line.slice(begin)}\n`.slice(0, LONGEST);
    if (line.trimEnd().endsWith("}") && this.#tries < MOST_TRIES) {
      this.#tries += 1;
      this.#takeResult(this.#json);
    }
    return isProgress;
  }

  /** Reads the progress in an unfinished line, and the result if it is complete. */
  #takeTail(tail: string): void {
    const begin = tail.search(RESULT_BEGIN);
    this.#takeProgress(begin < 0 ? tail : tail.slice(0, begin));
    if (begin >= 0) this.#takeResult(tail.slice(begin));
  }

  #takeResult(json: string): void {
    this.result = resultSchema.safeParse(jsonFrom(json)).data ?? this.result;
  }

  #takeProgress(line: string): void {
    const fractions = [...line.matchAll(FRACTION)].map(([, figure]) => 100 * numberOf(figure));
    const percent = PERCENT.exec(line)?.[1];
    // The name of a file may contain a percent sign.
    const figures = fractions.length > 0 || percent === undefined ? fractions : [numberOf(percent)];
    for (const figure of figures) {
      if (figure >= (this.percent ?? 0)) this.percent = Math.min(100, figure);
    }
  }
}

const numberOf = (figure = ""): number => Number(figure.replace(",", "."));
