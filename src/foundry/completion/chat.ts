import {
  cancelledError,
  type FoundryError,
  MAX_TOKEN_COUNT,
  pause,
  toFoundryError,
} from "../../lib/index.js";
import type { CallOptions, OnStatus } from "../calls.js";
import {
  type ChatStream,
  isLoading,
  type Overflow,
  ofOtherEngine,
  overflowOf,
} from "../dialects/index.js";
import type { ModelLoader, ResolvedModel } from "../loading/index.js";
import type { KnownModel } from "../models/index.js";
import type { ModelUse } from "../service/index.js";
import {
  type AnswerContext,
  type OpenedChat,
  receive,
  warnAboutEmptiness,
  warnAboutThinking,
} from "./answer.js";
import type { CompletionEvent } from "./completion.js";
import { measuredCharacters } from "./prompt-size.js";
import { type Structure, structured } from "./structured.js";

export interface ChatContext extends AnswerContext, Pick<CallOptions, "onStatus" | "trace"> {
  /** `null`: any text is an answer. */
  readonly structure: Structure | null;
  readonly loader: ModelLoader;
  readonly maxTokens: number;
  readonly stallTimeoutMs: number;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** Loads the model if it is not loaded, requests the chat, and receives the answer. */
export async function* chat(
  resolved: ResolvedModel,
  context: ChatContext,
): AsyncGenerator<CompletionEvent, void> {
  const { structure, progress } = context;
  const needsLoad = context.dialect.can.load && resolved.model.loaded !== true;
  const model = needsLoad ? yield* load(resolved, context) : resolved.model;
  const loaded = { ...resolved, model };
  if (structure === null) {
    yield* answer(loaded, context);
  } else {
    yield* structured(structure, context, (messages) => answer(loaded, { ...context, messages }));
  }
  warnAboutThinking(context.request, progress);
  // The last warning of an empty answer says that it is empty.
  if (structure === null) warnAboutEmptiness(context.request, progress);
}

async function* answer(
  resolved: ResolvedModel,
  context: ChatContext,
): AsyncGenerator<CompletionEvent, void> {
  try {
    yield* receive(yield* open(resolved, context), context);
  } catch (thrown) {
    const error = toFoundryError(thrown);
    throw context.dialect.can.isFoundryLocal ? error : ofOtherEngine(error);
  }
}

/** Loads a model, with a status event before. */
async function* load(
  wanted: ResolvedModel,
  { progress, loader, now, signal, onStatus, trace }: ChatContext,
): AsyncGenerator<CompletionEvent, KnownModel> {
  progress.loading(wanted.model.id);
  yield { type: "status", status: "loading", model: wanted.model.id };
  const startedAt = now();
  let hasWaited = false;
  const onWaiting: OnStatus = (update) => {
    hasWaited ||= update.step === "waiting";
    // The status "loading" was yielded already, unless another status followed.
    if (hasWaited) onStatus?.(update);
  };
  try {
    const { model, warnings } = await loader.load(wanted, signal, { onStatus: onWaiting, trace });
    progress.warn(...warnings);
    return model;
  } finally {
    progress.loadedIn(now() - startedAt);
  }
}

/**
 * Opens the chat. A service that is loading a model is waited for. Two refusals have a remedy. A model
 * that was unloaded since is loaded again, once. An answer too long for the context is requested with
 * fewer tokens, if its length was our default and not set by the caller.
 *
 * No event may be yielded between opening the stream and {@link receive}: a reader that leaves there
 * would leave the stream open.
 */
async function* open(
  wanted: ResolvedModel,
  context: ChatContext,
): AsyncGenerator<CompletionEvent, OpenedChat> {
  const { request, messages, progress, service, dialect, toolbox } = context;
  const { temperature, topP, seed, schema, reasoningBudget, tools, toolChoice } = request;
  const reasoning = request.reasoning === "off" ? request.reasoning : undefined;
  // No stop strings: a service would look for them in the thinking, too.
  const settings = { temperature, topP, seed, schema, reasoning, reasoningBudget };
  const offered = toolbox === null ? {} : { tools, toolChoice };
  const limits = { firstByteMs: context.stallTimeoutMs, silenceMs: context.stallTimeoutMs };
  const call = { limits, signal: context.signal, trace: context.trace };
  let { model } = wanted;
  let sends = 0;
  let mayReload = dialect.can.load;
  const shorter: Shortening[] = [];
  // Yielded before the service reads the prompt, which can take long.
  yield { type: "status", status: "running", model: model.id };
  for (;;) {
    const use = await beginUse(model, context);
    const maxTokens = shorter.at(-1)?.maxTokens ?? request.maxTokens ?? context.maxTokens;
    const wish = { model, messages, maxTokens, ...settings, ...offered };
    const ask = (): Promise<ChatStream> => {
      progress.asked(wish.model.id, measuredCharacters(service, wish.model.id));
      return dialect.chat(wish, call);
    };
    let isOpened = false;
    try {
      const stream = yield* whileLoading(context, ask, (attempts) => {
        sends += attempts;
      });
      progress.attempted(sends + stream.attempts);
      progress.opened(stream, dialect.can.hidesThinking === true);
      progress.warn(...shorter.slice(-1).map(({ warning }) => warning));
      isOpened = true;
      return { stream, use, maxTokens, isShortened: shorter.length > 0 };
    } catch (thrown) {
      const error = toFoundryError(thrown);
      use.failed(error);
      sends += error.attempts;
      progress.attempted(sends);
      const overflow = overflowOf(error);
      if (overflow?.isLeast === false) progress.promptCounted(believed(overflow.input));
      const limit = believed(overflow?.limit ?? null);
      if (limit !== null) service.models.learnContext(model, limit);
      const next =
        overflow === null || request.maxTokens !== undefined
          ? null
          : shortening(overflow, model.id, maxTokens, shorter.length);
      if (error.code === "MODEL_NOT_LOADED" && mayReload) {
        mayReload = false;
        model = yield* load({ ...wanted, model }, context);
        yield { type: "status", status: "running", model: model.id };
      } else if (next !== null) {
        shorter.push(next);
      } else {
        const { missing } = context.loader;
        throw dialect.can.isFoundryLocal ? await missing.explained(error, model) : error;
      }
    } finally {
      // The reader may have left while a load was waited for.
      if (!isOpened) use.end("finished");
    }
  }
}

async function beginUse(model: KnownModel, { service, signal }: ChatContext): Promise<ModelUse> {
  const use = await service.uses.begin(model, signal);
  if (!signal.aborted) return use;
  // Nothing was sent, so the service is not generating and unloads need not wait.
  use.end("finished");
  throw cancelledError();
}

/** How often fewer tokens are tried. A service may count the prompt only when the answer alone fits. */
const MOST_TRIES = 2;

interface Shortening {
  /** The longest answer to request. */
  readonly maxTokens: number;
  /** What the caller must know of it. */
  readonly warning: string;
}

/**
 * A shorter answer that may fit after an overflow; `null` where there is none.
 *
 * @param maxTokens Of the request that was too long.
 * @param tries How often it was shortened already.
 */
function shortening(
  overflow: Overflow,
  model: string,
  maxTokens: number,
  tries: number,
): Shortening | null {
  const most = believed(overflow.most);
  const limit = believed(overflow.limit);
  const counted = overflow.total === null ? overflow.input : overflow.total - maxTokens;
  const input = overflow.isLeast ? null : believed(counted);
  const limited = (tokens: number, why: string): Shortening | null => {
    const warning = `The answer was limited to ${tokens} tokens, which is ${why}.`;
    return tokens < 1 || tokens >= maxTokens ? null : { maxTokens: tokens, warning };
  };
  if (tries >= MOST_TRIES) return null;
  if (most !== null) return limited(most, `the most of ${model}`);
  if (limit === null) return null;
  const context = `the context of ${model} (${limit} tokens)`;
  if (input !== null) return limited(limit - input, `what ${context} leaves after the prompt`);
  // Only a service that counts the answer, too, accepts fewer tokens.
  if (overflow.output === null) return null;
  const guess = Math.floor(Math.min(limit, maxTokens) / (tries === 0 ? 2 : 4));
  return limited(guess, `a part of ${context}`);
}

/** A service's figure; `null` if it is no count of tokens. */
const believed = (tokens: number | null): number | null =>
  tokens !== null && tokens >= 0 && tokens <= MAX_TOKEN_COUNT ? tokens : null;

/** Between two requests to a service that is loading a model, unless it names a time itself. */
const PAUSE_MS = 1000;
const SHORTEST_PAUSE_MS = 50;

/** What is needed to wait for a service that loads a model, at most for the time limit of a load. */
type Patience = Pick<ChatContext, "progress" | "service" | "signal" | "now">;

/**
 * Repeats work while the service refuses it because it is loading a model, up to the time limit of a
 * load. Nothing is yielded after the work has succeeded.
 *
 * @param onRefused Receives how often each refused request was sent.
 */
async function* whileLoading<T>(
  { progress, service, signal, now }: Patience,
  work: () => Promise<T>,
  onRefused: (attempts: number) => void = () => {},
): AsyncGenerator<CompletionEvent, T> {
  const startedAt = now();
  let refusal: FoundryError | null = null;
  for (;;) {
    try {
      return await work();
    } catch (thrown) {
      const error = toFoundryError(thrown);
      const isFirst = refusal === null;
      if (isLoading(error)) refusal = error;
      // Refusals open the circuit, too.
      else if (refusal === null || error.code !== "CIRCUIT_OPEN") throw error;
      const pauseMs = Math.max(SHORTEST_PAUSE_MS, error.retryAfterMs ?? PAUSE_MS);
      if (now() - startedAt + pauseMs > service.loadTimeoutMs) {
        refusal.attempts = error.attempts;
        throw refusal;
      }
      onRefused(error.attempts);
      const { model } = progress;
      if (model !== null) {
        progress.loading(model);
        if (isFirst) yield { type: "status", status: "loading", model };
      }
      const pausedAt = now();
      await pause(pauseMs, signal).catch((cancelled: FoundryError) => {
        cancelled.attempts = 0;
        throw cancelled;
      });
      progress.loadedIn(now() - pausedAt);
    }
  }
}

/** The same for work before the model is known: there is no event then. */
export async function untilLoaded<T>(patience: Patience, work: () => Promise<T>): Promise<T> {
  const steps = whileLoading(patience, work);
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return step.value;
  }
}
