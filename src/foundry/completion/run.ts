import { FoundryError, MAX_UNKNOWN_WORD, printable, toFoundryError } from "../../lib/index.js";
import type { Attempts } from "../connection/index.js";
import type { ChatMessage, Dialect } from "../dialects/index.js";
import { assertCanChat } from "../loading/index.js";
import type { KnownModel } from "../models/index.js";
import { stallTimeout, worded } from "../service/index.js";
import type { CompletionEvent, CompletionStatus } from "./completion.js";
import {
  loadTold,
  type OpenedChat,
  openWithRemedies,
  type RunContext,
  type RunOnService,
} from "./opening.js";
import type { CompletionProgress } from "./progress.js";
import type { CompletionRequest } from "./request.js";
import { StopCutter } from "./stop-strings.js";
import { type Piece, ThinkingSplitter } from "./thinking.js";

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
  const tries: Attempts = { retries: 0, changes: 0 };
  const { current, signal, onStatus } = context;
  const warnings = [...progress.warnings];
  try {
    for (;;) {
      const connection = await current.connection({ signal, onStatus }).catch((thrown: unknown) => {
        const error = toFoundryError(thrown);
        progress.attempts = error.attempts;
        progress.end(statusAfter(error, progress));
        throw error;
      });
      tries.changes = connection.service.changes;
      const onService: RunOnService = { ...context, ...connection };
      const { guessWarning } = connection;
      if (guessWarning !== null) progress.warnings.push(guessWarning);
      try {
        yield* runOnce(request, messages, progress, onService);
        connection.guessWarning = null;
        return;
      } catch (thrown) {
        const failure = toFoundryError(thrown);
        progress.mayHaveBeenSent ||= progress.wasAsked && !failure.neverSent;
        const error = await explained(failure, progress, onService, connection.foundBy === "set");
        if (!progress.wasAsked) progress.attempts = error.attempts;
        // After the first token nothing is ever sent again.
        const again =
          (await current.shouldRetry(connection, error, tries, signal)) && !progress.hasStarted;
        if (!again) {
          progress.end(statusAfter(error, progress));
          throw error;
        }
        progress.warnings.splice(0, progress.warnings.length, ...warnings);
      }
    }
  } finally {
    // The reader left in the middle.
    if (!progress.hasEnded) progress.end("cancelled");
  }
}

/** The completion on one service. */
async function* runOnce(
  request: CompletionRequest,
  messages: readonly ChatMessage[],
  progress: CompletionProgress,
  context: RunOnService,
): AsyncGenerator<CompletionEvent, void> {
  const dialect = await context.service.dialect(context.signal);
  const { loader, signal, onStatus } = context;
  const wanted = await loader.resolveModel(request.model, signal, undefined, onStatus);
  if (wanted.reason !== null) progress.warnings.push(wanted.reason);
  assertCanChat(wanted.model);
  const release = await admitted(wanted.model, dialect, progress, context);
  try {
    // During the wait the model may have been loaded or unloaded.
    const current =
      release === null
        ? wanted
        : await loader.resolveModel(request.model, signal, undefined, onStatus);
    const needsLoad = dialect.can.load && current.model.loaded !== true;
    const model = needsLoad ? yield* loadTold(current, progress, context) : current.model;
    const ready = { ...current, model };
    // No event may be yielded between the two: a reader that leaves there would leave the stream open.
    const opened = yield* openWithRemedies(request, messages, ready, progress, context);
    yield* receive(request, opened, dialect, progress);
  } finally {
    release?.();
  }
  warnAboutEmptiness(progress);
  progress.end("completed");
  yield { type: "completed", completion: progress.snapshot() };
}

/** Waits until the model may be used; `null` without a queue. */
async function admitted(
  model: KnownModel,
  dialect: Dialect,
  progress: CompletionProgress,
  { admit, now, signal }: RunOnService,
): Promise<(() => void) | null> {
  if (admit === undefined) return null;
  progress.status = "queued";
  progress.model = model.id;
  const startedAt = now();
  try {
    return await admit({
      model: model.id,
      generationsAtOnce: dialect.can.generationsAtOnce,
      signal,
    });
  } finally {
    progress.waitedInQueue(now() - startedAt);
  }
}

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

  let isOverrun = false;
  try {
    for await (const news of stream) {
      if (news.type === "overrun") {
        isOverrun = true;
        progress.finishReason = "length";
        warnAboutOverrun(dialect, progress);
        break;
      }
      if (news.type === "warning") progress.warnings.push(news.warning);
      if (news.type === "usage") progress.usage = news.usage;
      if (news.type === "reasoning") splitter.thinkingCameApart();
      if (news.type === "finish") {
        progress.finishReason = news.reason;
        if (news.reason === null) warnAboutUnknownEnd(news.said, progress);
      }
      if (news.type === "text" || news.type === "reasoning") {
        use.token();
        progress.countPiece();
        yield* take(news.type === "text" ? splitter.push(news.text) : [news]);
      }
      if (cutter.isCut) {
        // No stop string is ever sent, so it is leaving the loop, which closes the stream, that ends
        // the generation; where the counts come at its end, they stay unknown.
        progress.finishReason = "stop";
        warnAboutBusyDevice(dialect, progress);
        return;
      }
    }
    // Leaving the loop closed the connection, which not every service heeds.
    use.end(isOverrun ? "abandoned" : "finished");
  } finally {
    use.end("abandoned");
  }
  yield* take(splitter.end());
  const rest = cutter.end();
  progress.addText(rest);
  if (rest !== "") yield { type: "text", text: rest };
  if (progress.isOnlyReasoning) {
    progress.warnings.push("The service sent the whole answer as reasoning; it is given as text.");
    yield { type: "text", text: progress.reasoningWasText() };
  }
}

function warnAboutBusyDevice(dialect: Dialect, progress: CompletionProgress): void {
  if (dialect.can.stopsOnDisconnect !== false) return;
  progress.warnings.push(
    "The answer ended at a stop string, but this version of Foundry Local generates on to its token limit, so the device may be busy for a while.",
  );
}

function warnAboutOverrun(dialect: Dialect, progress: CompletionProgress): void {
  progress.warnings.push(
    `The service did not stop at max_tokens, so the answer was cut off here.${
      dialect.can.stopsOnDisconnect === false
        ? " It may go on without being read, so the device may be busy for a while."
        : ""
    }`,
  );
}

function warnAboutUnknownEnd(said: string, progress: CompletionProgress): void {
  progress.warnings.push(
    `The service ended the answer for a reason that is not known here, ${JSON.stringify(printable(said, MAX_UNKNOWN_WORD))}, so it may not be whole.`,
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
  context: RunOnService,
  isSet: boolean,
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
    await context.service.detectOnce({ limits: { wholeMs: 2000 }, signal: context.signal });
  } catch (thrown) {
    if (toFoundryError(thrown).code !== "SERVICE_UNREACHABLE") return error;
    return broke("SERVER_CRASHED", "The service died while it generated.", error, [
      ...(progress.hasStarted ? ["The text so far is kept."] : []),
      `${isSet ? "Start the service again" : "Try again: it is found or, where that is allowed, started again by itself"}; a shorter prompt, another variant or another model may help if it dies again.`,
    ]);
  }
  // On core 1.x this is also how a model that fails looks (docs/foundry-local.md, section 10).
  return broke(
    "STREAM_INTERRUPTED",
    "The answer broke off, though a service answers there: the connection was cut, the service was restarted, or the model failed.",
    error,
    ["Try again; if it breaks off at the same place, use another model or a shorter prompt."],
  );
}

function broke(
  code: "SERVER_CRASHED" | "STREAM_INTERRUPTED",
  message: string,
  cause: FoundryError,
  actions: readonly string[],
): FoundryError {
  const error = new FoundryError(code, message, {
    action: actions.join(" "),
    retryable: true,
    cause,
  });
  error.attempts = cause.attempts;
  return error;
}
