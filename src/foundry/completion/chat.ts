import { cancelledError, type FoundryError, type Trace, toFoundryError } from "../../lib/index.js";
import {
  type Call,
  type ChatMessage,
  type ChatStream,
  type Dialect,
  overflowOf,
} from "../dialects/index.js";
import type { ModelLoader, ResolvedModel } from "../loading/index.js";
import type { KnownModel } from "../models/index.js";
import type { ModelUse, Service } from "../service/index.js";
import type { OnStatus } from "../status.js";
import { CallReader, ForcedCall, type Toolbox } from "../tools/index.js";
import {
  warnAboutBusyDevice,
  warnAboutEmptiness,
  warnAboutOverrun,
  warnAboutThinking,
  warnAboutUnknownEnd,
} from "./answer-warnings.js";
import type { CompletionEvent, CompletionRequest } from "./completion.js";
import type { CompletionProgress } from "./progress.js";
import { measuredCharacters, promptMeasured } from "./prompt-size.js";
import { believed, type Shortening, shortening } from "./shortening.js";
import { type Structure, structured } from "./structured.js";
import { StopCutter } from "./text-filters.js";
import { type Piece, ThinkingSplitter } from "./thinking.js";
import { whileLoading } from "./while-loading.js";

/** A completion on the service that runs it. */
export interface ChatContext {
  readonly request: CompletionRequest;
  readonly messages: readonly ChatMessage[];
  readonly progress: CompletionProgress;
  /** `null`: any text is an answer. */
  readonly structure: Structure | null;
  /** `null`: what looks like a call of a tool is text. */
  readonly toolbox: Toolbox | null;
  readonly service: Service;
  readonly dialect: Dialect;
  readonly loader: ModelLoader;
  /** Called with the steps before the completion itself. */
  readonly onStatus?: OnStatus | undefined;
  readonly trace?: Trace | undefined;
  readonly maxTokens: number;
  readonly stallTimeoutMs: number;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

interface OpenedChat {
  readonly stream: ChatStream;
  readonly use: ModelUse;
}

/** Loads the model if it is not loaded, requests the chat, and receives the answer. */
export async function* chat(
  resolved: ResolvedModel,
  context: ChatContext,
): AsyncGenerator<CompletionEvent, void> {
  const { structure, progress } = context;
  if (structure === null) {
    yield* answer(resolved, context);
  } else {
    yield* structured(structure, context, (messages) => answer(resolved, { ...context, messages }));
  }
  warnAboutThinking(context.request, progress);
  // The last warning of an empty answer says that it is empty.
  if (structure === null) warnAboutEmptiness(context.request, progress);
}

async function* answer(
  resolved: ResolvedModel,
  context: ChatContext,
): AsyncGenerator<CompletionEvent, void> {
  const needsLoad = context.dialect.can.load && resolved.model.loaded !== true;
  const model = needsLoad ? yield* load(resolved, context) : resolved.model;
  const opened = yield* open({ ...resolved, model }, context);
  yield* receive(opened, context);
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
  const { request, messages, progress, service, dialect } = context;
  const { temperature, topP, seed, schema } = request;
  const reasoning = request.reasoning === "off" ? request.reasoning : undefined;
  const { reasoningBudget } = request;
  const { tools, toolChoice } = context.toolbox === null ? {} : request;
  let { model } = wanted;
  let sends = 0;
  let mayReload = dialect.can.load;
  const shorter: Shortening[] = [];
  // Yielded before the service reads the prompt, which can take long.
  yield { type: "status", status: "running", model: model.id };
  for (;;) {
    const use = await beginUse(model, context);
    const maxTokens = shorter.at(-1)?.maxTokens ?? request.maxTokens ?? context.maxTokens;
    // No stop strings: a service would look for them in the thinking, too.
    const wish = {
      model,
      messages,
      temperature,
      topP,
      seed,
      maxTokens,
      schema,
      reasoning,
      reasoningBudget,
      tools,
      toolChoice,
    };
    const ask = (): Promise<ChatStream> => {
      progress.asked(wish.model.id, measuredCharacters(service, wish.model.id));
      return dialect.chat(wish, chatCall(context));
    };
    let isOpened = false;
    try {
      const stream = yield* whileLoading(context, ask, (attempts) => {
        sends += attempts;
      });
      progress.attempted(sends + stream.attempts);
      progress.constrained(stream.isConstrained);
      progress.warn(...shorter.slice(-1).map(({ warning }) => warning), ...stream.warnings);
      isOpened = true;
      return { stream, use };
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
          : shortening(overflow, { model: model.id, maxTokens, tries: shorter.length });
      if (error.code === "MODEL_NOT_LOADED" && mayReload) {
        mayReload = false;
        model = yield* load({ ...wanted, model }, context);
        yield { type: "status", status: "running", model: model.id };
      } else if (next !== null) {
        shorter.push(next);
      } else {
        const { isFoundryLocal } = dialect.can;
        throw isFoundryLocal ? await context.loader.explained(error, model) : ofOtherEngine(error);
      }
    } finally {
      // The reader may have left while a load was waited for.
      if (!isOpened) use.end("finished");
    }
  }
}

/** Advice of Foundry Local does not help a user of another engine. */
function ofOtherEngine(error: FoundryError): FoundryError {
  if (error.code !== "MODEL_NOT_LOADED" && error.code !== "LOAD_FAILED") return error;
  return error.reworded({
    action: "Load the model with the tools of that engine, then try again.",
  });
}

async function beginUse(model: KnownModel, { service, signal }: ChatContext): Promise<ModelUse> {
  const use = await service.uses.begin(model, signal);
  if (!signal.aborted) return use;
  // Nothing was sent, so the service is not generating and unloads need not wait.
  use.end("finished");
  throw cancelledError();
}

const chatCall = ({ stallTimeoutMs, signal, trace }: ChatContext): Call => ({
  limits: { firstByteMs: stallTimeoutMs, silenceMs: stallTimeoutMs },
  signal,
  trace,
});

async function* receive(
  { stream, use }: OpenedChat,
  { request, messages, service, dialect, progress, toolbox }: ChatContext,
): AsyncGenerator<CompletionEvent, void> {
  const forced = stream.isForcedCall ? new ForcedCall() : null;
  const calls = forced ?? (toolbox === null ? null : new CallReader(toolbox));
  const splitter = new ThinkingSplitter(calls !== null);
  const cutter = new StopCutter(request.stop ?? []);

  function* addText(text: string): Generator<CompletionEvent, void> {
    progress.addText(text);
    if (text !== "") yield { type: "text", text };
  }

  function* take(pieces: readonly Piece[]): Generator<CompletionEvent, void> {
    for (const piece of pieces) {
      if (piece.type === "text") {
        yield* addText(cutter.push(calls?.pushText(piece.text) ?? piece.text));
      } else if (piece.type === "call") {
        calls?.pushChannel(piece.to, piece.text);
      } else if (piece.type === "reasoning") {
        progress.addReasoning(piece.text);
        yield piece;
      } else {
        // The text that was held back as the beginning of a stop string was thinking, too.
        yield* addText(cutter.push(calls?.textWasReasoning() ?? "") + cutter.end());
        progress.textWasReasoning();
        yield piece;
      }
      if (cutter.isCut) return;
    }
  }

  let hasCall = false;
  /** Returns the text that was held back as the beginning of a call. */
  function endCalls(reader: CallReader | ForcedCall, isWhole: boolean): string {
    const found = reader.end(isWhole);
    progress.warn(...found.warnings);
    progress.called(found.calls);
    // Of a call that could not be read, there is a warning.
    hasCall = found.calls.length + found.warnings.length > 0;
    return found.text;
  }

  let isAbandoned = false;
  let inputTokens = 0;
  try {
    for await (const news of stream) {
      if (news.type === "overrun") {
        isAbandoned = true;
        progress.finished("length");
        warnAboutOverrun(dialect, progress);
        break;
      }
      if (news.type === "warning") progress.warn(news.warning);
      if (news.type === "usage") {
        progress.counted(news.usage);
        // Some engines send the counts with each event.
        inputTokens = news.usage?.inputTokens ?? 0;
      }
      if (news.type === "reasoning") splitter.thinkingCameApart();
      if (news.type === "finish") {
        progress.finished(news.reason);
        if (news.reason === null) warnAboutUnknownEnd(news.said, progress);
      }
      if (news.type === "call") {
        use.token();
        progress.countPiece();
        calls?.pushPiece(news.piece);
      }
      if (forced?.goesOn === true) {
        // Without the counts, which come at the end; the model may repeat the call up to its limit.
        progress.finished("stop");
        isAbandoned = true;
        break;
      }
      if (news.type === "text" || news.type === "reasoning") {
        use.token();
        progress.countPiece();
        const pieces = news.type === "text" ? splitter.push(news.text) : [news];
        // A `yield*` of a plain generator costs an asynchronous one more than the event itself.
        for (const event of take(pieces)) yield event;
      }
      if (cutter.isCut) {
        // No stop string is ever sent. Leaving the loop closes the stream, which ends the generation.
        // Counts that the service sends at the end stay unknown.
        progress.cutAtStop();
        // What was held back stood behind the stop string.
        if (calls !== null) endCalls(calls, false);
        warnAboutBusyDevice(dialect, progress);
        return;
      }
    }
    // Leaving the loop closed the connection, but not every service then stops.
    use.end(isAbandoned ? "abandoned" : "finished");
  } finally {
    use.end("abandoned");
  }
  if (calls === null) promptMeasured(service, progress.model ?? "", messages, inputTokens);
  yield* take(splitter.end());
  if (calls !== null) {
    const isWhole = !cutter.isCut && progress.snapshot().finishReason === "stop";
    // After a stop string the cutter takes nothing.
    yield* addText(cutter.push(endCalls(calls, isWhole)));
  }
  yield* addText(cutter.end());
  if (!hasCall && progress.isOnlyReasoning) {
    progress.warn("The service sent the whole answer as reasoning; it is given as text.");
    yield { type: "text", text: progress.reasoningWasText() };
  }
}
