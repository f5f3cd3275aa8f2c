import { isRefused } from "../../http/index.js";
import { cancelledError, FoundryError, MAX_TOKEN_COUNT, toFoundryError } from "../../lib/index.js";
import type { CurrentService } from "../connection/index.js";
import { type Call, type ChatMessage, type ChatStream, overflowOf } from "../dialects/index.js";
import type { ModelLoader, ResolvedModel } from "../loading/index.js";
import type { KnownModel } from "../models/index.js";
import type { ModelUse, Service } from "../service/index.js";
import type { OnStatus } from "../status.js";
import type { Admit } from "./admission.js";
import type { CompletionEvent } from "./completion.js";
import type { CompletionProgress } from "./progress.js";
import type { CompletionRequest } from "./request.js";

/** What a run works with. */
export interface RunContext {
  readonly current: CurrentService;
  /** Asked before the model is loaded or used. Default: it may at once. */
  readonly admit?: Admit | undefined;
  /** Called with the steps before the completion itself. */
  readonly onStatus?: OnStatus | undefined;
  readonly maxTokens: number;
  readonly stallTimeoutMs: number;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** The same with the service it was found to run on. */
export interface RunOnService extends RunContext {
  readonly service: Service;
  readonly loader: ModelLoader;
}

export interface OpenedChat {
  readonly stream: ChatStream;
  readonly use: ModelUse;
}

/** Loads a model, with a status event before. */
export async function* loadTold(
  wanted: ResolvedModel,
  progress: CompletionProgress,
  context: RunOnService,
): AsyncGenerator<CompletionEvent, KnownModel> {
  progress.status = "loading";
  progress.model = wanted.model.id;
  yield { type: "status", status: "loading", model: wanted.model.id };
  const startedAt = context.now();
  const { loader, signal, onStatus } = context;
  let hasWaited = false;
  const onWaiting: OnStatus = (update) => {
    hasWaited ||= update.step === "waiting";
    // The status "loading" was yielded already, unless another status followed.
    if (hasWaited) onStatus?.(update);
  };
  try {
    const { model, warnings } = await loader.load(wanted, signal, { onStatus: onWaiting });
    progress.warnings.push(...warnings);
    return model;
  } finally {
    progress.loadedIn(context.now() - startedAt);
  }
}

/**
 * Opens the chat. Two refusals have a remedy, once each. A model that was unloaded since is loaded
 * again. An answer too long for the context is requested with fewer tokens, if its length was our
 * default and not set by the caller.
 *
 * No event may be yielded between opening the stream and returning it: a reader that leaves there
 * would leave the stream open.
 */
export async function* openWithRemedies(
  request: CompletionRequest,
  messages: readonly ChatMessage[],
  wanted: ResolvedModel,
  progress: CompletionProgress,
  context: RunOnService,
): AsyncGenerator<CompletionEvent, OpenedChat> {
  const dialect = await context.service.dialect(context.signal);
  let { model } = wanted;
  let maxTokens = request.maxTokens ?? context.maxTokens;
  let sends = 0;
  const remedies = new Set(["reload", "shorten"]);
  // Yielded before the service reads the prompt, which can take long.
  yield { type: "status", status: "running", model: model.id };
  for (;;) {
    progress.model = model.id;
    progress.asked();
    const use = await beginUse(model, context);
    try {
      const chat = { ...settingsOf(request), model, messages, maxTokens };
      const stream = await dialect.chat(chat, chatCall(context));
      progress.attempts = sends + stream.attempts;
      return { stream, use };
    } catch (thrown) {
      const error = toFoundryError(thrown);
      use.end(LEAVES_IT_AT_WORK.has(error.code) ? "abandoned" : "finished");
      sends += error.attempts;
      progress.attempts = sends;
      if (brokeOffAndIsGone(error)) {
        progress.deaths += 1;
        // A restart is worth one more try; who dies of a prompt twice dies of it again (#818).
        if (progress.deaths > 1) throw diedOf(model, error);
      }
      const room = roomAfter(error);
      progress.inputTokens ??= believed(overflowOf(error)?.input ?? null);
      if (room !== null) context.service.models.learnContext(model.id, room.limit);
      if (error.code === "MODEL_NOT_LOADED" && dialect.can.load && remedies.delete("reload")) {
        model = yield* loadTold({ ...wanted, model }, progress, context);
        yield { type: "status", status: "running", model: model.id };
      } else if (request.maxTokens === undefined && room !== null && remedies.delete("shorten")) {
        if (room.tokens < 1) throw error;
        maxTokens = room.tokens;
        progress.warnings.push(
          `The answer was limited to ${maxTokens} tokens, which is what the context of ${model.id} (${room.limit} tokens) leaves after the prompt.`,
        );
      } else {
        throw await context.loader.explained(error, model);
      }
    }
  }
}

async function beginUse(model: KnownModel, { service, signal }: RunOnService): Promise<ModelUse> {
  const use = await service.uses.begin(model, signal);
  if (!signal.aborted) return use;
  // Nothing was sent, so the service is not generating and unloads need not wait.
  use.end("finished");
  throw cancelledError();
}

/** Ends of a request after which the service may still be at it: all others are its own answers. */
const LEAVES_IT_AT_WORK = new Set(["CANCELLED", "CLIENT_CLOSED", "TIMEOUT"]);

/** True if an earlier attempt reached the service and the service is gone now. */
const brokeOffAndIsGone = (error: FoundryError): boolean =>
  isRefused(error) ? error.attempts > 1 : error.code === "CIRCUIT_OPEN" && error.attempts > 0;

function diedOf({ id }: KnownModel, cause: FoundryError): FoundryError {
  const error = new FoundryError(
    "SERVER_CRASHED",
    `The service died of this request to ${id} twice, so it is not sent again.`,
    {
      action: "Try a shorter prompt, another variant or another model.",
      cause,
    },
  );
  error.attempts = cause.attempts;
  return error;
}

/** How many tokens an overflow leaves for the answer, where the service gave its figures. */
function roomAfter(error: FoundryError): { tokens: number; limit: number } | null {
  const overflow = overflowOf(error);
  const limit = believed(overflow?.limit ?? null);
  const input = believed(overflow?.input ?? null);
  return limit === null || input === null ? null : { tokens: limit - input, limit };
}

/** A figure of a service, unless it can be no count of tokens. */
const believed = (tokens: number | null): number | null =>
  tokens !== null && Number.isInteger(tokens) && tokens >= 0 && tokens <= MAX_TOKEN_COUNT
    ? tokens
    : null;

/** Stop strings are not among them: a service would look for them in the thinking, too. */
function settingsOf({ temperature, topP, seed }: CompletionRequest) {
  return {
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { topP }),
    ...(seed === undefined ? {} : { seed }),
  };
}

const chatCall = ({ stallTimeoutMs, signal }: RunContext): Call => ({
  limits: { firstByteMs: stallTimeoutMs, silenceMs: stallTimeoutMs },
  signal,
});
