import { FoundryError, toFoundryError } from "../../errors.js";
import {
  type Call,
  type ChatMessage,
  type ChatStream,
  type Dialect,
  overflowOf,
} from "../dialects/index.js";
import { assertCanChat, type ModelLoader, type Wanted } from "../loading.js";
import type { ModelUse } from "../model-uses.js";
import type { KnownModel } from "../models/index.js";
import type { Service } from "../service.js";
import { stallTimeout, worded } from "../timeouts.js";
import type { CompletionEvent, CompletionStatus } from "./completion.js";
import type { CompletionProgress } from "./progress.js";
import type { CompletionRequest } from "./request.js";
import { StopCutter } from "./stop-strings.js";
import { type Piece, ThinkingSplitter } from "./thinking.js";

/** What a run works with. */
export interface RunContext {
  readonly service: Service;
  readonly loader: ModelLoader;
  readonly maxTokens: number;
  readonly stallTimeoutMs: number;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/**
 * One completion from beginning to end: which model, loading it where needed, the chat, and what
 * comes of it. `progress` holds all that was received whatever happens.
 */
export async function* runCompletion(
  request: CompletionRequest,
  messages: readonly ChatMessage[],
  progress: CompletionProgress,
  context: RunContext,
): AsyncGenerator<CompletionEvent, void> {
  try {
    const dialect = await context.service.dialect(context.signal);
    const wanted = await context.loader.want(request.model, context.signal);
    if (wanted.reason !== null) progress.warnings.push(wanted.reason);
    assertCanChat(wanted.model);
    const needsLoad = dialect.can.load && wanted.model.loaded !== true;
    let model = wanted.model;
    if (needsLoad) {
      yield { type: "status", status: "loading", model: model.id };
      model = await load(wanted, progress, context);
    }
    // Told before the prompt is read, which can take long. Nothing may be told between opening the
    // stream and reading it: a reader who leaves there would leave it open.
    yield { type: "status", status: "running", model: model.id };
    const opened = await openWithRemedies(
      request,
      messages,
      { ...wanted, model },
      progress,
      context,
    );
    progress.attempts = opened.stream.attempts;
    yield* receive(request, opened, dialect, progress);
    warnAboutEmptiness(progress);
    progress.end("completed");
    yield { type: "completed", completion: progress.snapshot() };
  } catch (thrown) {
    const error = await explained(toFoundryError(thrown), progress, context);
    if (!progress.hasStarted) progress.attempts = error.attempts;
    progress.end(statusAfter(error, progress));
    context.service.noteError(error);
    throw error;
  } finally {
    // The reader left in the middle.
    if (!progress.hasEnded) progress.end("cancelled");
  }
}

async function load(
  wanted: Wanted,
  progress: CompletionProgress,
  context: RunContext,
): Promise<KnownModel> {
  progress.status = "loading";
  progress.model = wanted.model.id;
  const startedAt = context.now();
  try {
    return (await context.loader.load(wanted, context.signal)).model;
  } finally {
    progress.loadedIn(context.now() - startedAt);
  }
}

interface OpenedChat {
  readonly stream: ChatStream;
  readonly model: KnownModel;
  readonly use: ModelUse;
}

/**
 * Opens the chat. Two refusals are put right here, once each: a model that somebody unloaded
 * meanwhile is loaded again, and an answer too long for the context is asked for shorter when its
 * length was our default rather than the caller's wish.
 */
async function openWithRemedies(
  request: CompletionRequest,
  messages: readonly ChatMessage[],
  wanted: Wanted,
  progress: CompletionProgress,
  context: RunContext,
): Promise<OpenedChat> {
  const dialect = await context.service.dialect(context.signal);
  let { model } = wanted;
  let maxTokens = request.maxTokens ?? context.maxTokens;
  const remedies = new Set(["reload", "shorten"]);
  for (;;) {
    progress.model = model.id;
    progress.asked();
    const use = await context.service.uses.begin(model, context.signal);
    try {
      const chat = { ...settingsOf(request), model, messages, maxTokens };
      return { stream: await dialect.chat(chat, chatCall(context)), model, use };
    } catch (thrown) {
      const error = toFoundryError(thrown);
      use.end(LEAVES_IT_AT_WORK.has(error.code) ? "left" : "finished");
      const room = roomAfter(error);
      if (room !== null) context.service.learnContext(model.id, room.limit);
      if (error.code === "MODEL_NOT_LOADED" && dialect.can.load && remedies.delete("reload")) {
        model = await load({ ...wanted, model }, progress, context);
      } else if (request.maxTokens === undefined && room !== null && remedies.delete("shorten")) {
        if (room.tokens < 1) throw error;
        maxTokens = room.tokens;
        progress.warnings.push(
          `The answer was limited to ${maxTokens} tokens, which is what the context of ${model.id} (${room.limit} tokens) leaves after the prompt.`,
        );
      } else {
        throw error;
      }
    }
  }
}

/** Ends of a request after which the service may still be at it: all others are its own answers. */
const LEAVES_IT_AT_WORK = new Set(["CANCELLED", "CLIENT_CLOSED", "TIMEOUT"]);

/** How many tokens an overflow leaves for the answer, where the service gave its figures. */
function roomAfter(error: FoundryError): { tokens: number; limit: number } | null {
  const overflow = overflowOf(error);
  if (overflow === null || overflow.limit === null || overflow.input === null) return null;
  return { tokens: overflow.limit - overflow.input, limit: overflow.limit };
}

function settingsOf({ temperature, topP, stop, seed }: CompletionRequest) {
  return {
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { topP }),
    ...(stop === undefined ? {} : { stop }),
    ...(seed === undefined ? {} : { seed }),
  };
}

const chatCall = ({ stallTimeoutMs, signal }: RunContext): Call => ({
  limits: { firstByteMs: stallTimeoutMs, silenceMs: stallTimeoutMs },
  signal,
});

async function* receive(
  request: CompletionRequest,
  { stream, use }: OpenedChat,
  dialect: Dialect,
  progress: CompletionProgress,
): AsyncGenerator<CompletionEvent, void> {
  const splitter = new ThinkingSplitter();
  const cutter = new StopCutter(request.stop ?? []);

  function* take(pieces: readonly Piece[]): Generator<CompletionEvent, void> {
    for (const piece of pieces) {
      if (piece.type === "text") {
        const text = cutter.push(piece.text);
        progress.addText(text);
        if (text !== "") yield { type: "text", text };
      } else if (piece.type === "reasoning") {
        progress.addReasoning(piece.text);
        yield piece;
      } else {
        // What was held back as the beginning of a stop string was thinking, too.
        const held = cutter.end();
        progress.addText(held);
        if (held !== "") yield { type: "text", text: held };
        progress.textWasReasoning();
        yield piece;
      }
      if (cutter.isCut) return;
    }
  }

  try {
    for await (const news of stream) {
      if (news.type === "usage") progress.usage = news.usage;
      if (news.type === "finish") progress.finishReason = news.reason;
      if (news.type === "text" || news.type === "reasoning") {
        use.token();
        progress.countPiece();
        yield* take(news.type === "text" ? splitter.push(news.text) : [news]);
      }
      if (cutter.isCut) {
        // Leaving the loop closes the stream; where the counts come at its end, they stay unknown.
        progress.finishReason = "stop";
        warnAboutBusyDevice(dialect, progress);
        return;
      }
    }
    use.end("finished");
  } finally {
    use.end("left");
  }
  yield* take(splitter.end());
  const rest = cutter.end();
  progress.addText(rest);
  if (rest !== "") yield { type: "text", text: rest };
}

function warnAboutBusyDevice(dialect: Dialect, progress: CompletionProgress): void {
  if (dialect.can.stopsOnDisconnect !== false) return;
  progress.warnings.push(
    "The answer ended at a stop string, but this version of Foundry Local generates on to its token limit, so the device may be busy for a while.",
  );
}

function warnAboutEmptiness(progress: CompletionProgress): void {
  const { text, reasoning, finishReason } = progress.snapshot();
  if (text.trim() !== "") return;
  if (reasoning !== null && finishReason === "length") {
    progress.warnings.push(
      "The model used up its tokens while thinking and gave no answer. Ask again with a larger max_tokens.",
    );
  } else {
    progress.warnings.push("The model gave no text.");
  }
}

const BREAKS = new Set(["STREAM_INTERRUPTED", "SERVICE_UNREACHABLE", "SERVER_CRASHED"]);

function statusAfter(error: FoundryError, progress: CompletionProgress): CompletionStatus {
  if (error.code === "CANCELLED" || error.code === "CLIENT_CLOSED") return "cancelled";
  // A read time limit is never retried, so the device may still be at it: interrupted, not failed.
  if (error.code === "TIMEOUT" && error.phase !== "connect") return "interrupted";
  return progress.hasStarted && BREAKS.has(error.code) ? "interrupted" : "failed";
}

/** A stream that broke off is a crash when the service is gone, too. */
async function explained(
  error: FoundryError,
  progress: CompletionProgress,
  context: RunContext,
): Promise<FoundryError> {
  if (error.code === "TIMEOUT" && progress.status === "running") {
    const { model, hasStarted } = progress;
    return worded(error, () =>
      stallTimeout(model ?? "The model", context.stallTimeoutMs, hasStarted),
    );
  }
  const brokeOff = progress.hasStarted || error.code === "STREAM_INTERRUPTED";
  if (!brokeOff || !BREAKS.has(error.code)) return error;
  try {
    await context.service.lookOnce({ limits: { wholeMs: 2000 }, signal: context.signal });
    return error;
  } catch (thrown) {
    if (toFoundryError(thrown).code !== "SERVICE_UNREACHABLE") return error;
    return new FoundryError("SERVER_CRASHED", "The service died while it generated.", {
      action:
        "The text so far is kept. Start the service again; a shorter prompt, another variant or another model may help if it dies again.",
      retryable: true,
      cause: error,
    });
  }
}
