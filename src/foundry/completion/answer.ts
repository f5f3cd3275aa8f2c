import { MAX_UNKNOWN_WORD, printable } from "../../lib/index.js";
import type { ChatMessage, ChatStream, Dialect } from "../dialects/index.js";
import type { ModelUse, Service } from "../service/index.js";
import { roundedNotes } from "../structured/index.js";
import { CallReader, ForcedCall, type Toolbox } from "../tools/index.js";
import type { CompletionEvent, CompletionRequest } from "./completion.js";
import type { Piece } from "./harmony.js";
import type { CompletionProgress } from "./progress.js";
import { leastOfCut, promptMeasured } from "./prompt-size.js";
import { StopCutter, wrapperOf } from "./text-filters.js";
import { ThinkingSplitter } from "./thinking.js";

export interface AnswerContext {
  readonly request: CompletionRequest;
  readonly messages: readonly ChatMessage[];
  readonly progress: CompletionProgress;
  /** `null`: what looks like a call of a tool is text. */
  readonly toolbox: Toolbox | null;
  readonly service: Service;
  readonly dialect: Dialect;
}

export interface OpenedChat {
  readonly stream: ChatStream;
  readonly use: ModelUse;
  readonly maxTokens: number;
  /** The context has no room for a longer answer. */
  readonly isShortened: boolean;
}

/** An answer that ends at `maxTokens` has nearly so many by the count of its service, which may leave out a few. */
const NEARLY_ALL = 0.9;
const FEW_TOKENS = 8;

/** Receives an answer: keeps it in the progress, and yields it without stop strings, marks and calls. */
export async function* receive(
  { stream, use, maxTokens, isShortened }: OpenedChat,
  { request, messages, service, dialect, progress, toolbox }: AnswerContext,
): AsyncGenerator<CompletionEvent, void> {
  const forced = stream.isForcedCall ? new ForcedCall() : null;
  const calls = forced ?? (toolbox === null ? null : new CallReader(toolbox));
  const wrapper = wrapperOf(progress.model ?? "", messages);
  const splitter = new ThinkingSplitter(calls !== null, wrapper);
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
  /** Keeps the calls that a reader found; returns them, and the text that was held back as the beginning of one. */
  function endCalls(reader: CallReader | ForcedCall, isWhole: boolean) {
    const found = reader.end(isWhole);
    progress.warn(...found.warnings, ...roundedNotes(found.calls));
    progress.called(found.calls);
    // Of a call that could not be read, there is a warning.
    hasCall = found.calls.length + found.warnings.length > 0;
    return found;
  }

  let isAbandoned = false;
  let inputTokens = 0;
  let outputTokens = 0;
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
        outputTokens = news.usage?.outputTokens ?? 0;
      }
      if (news.type === "reasoning") splitter.thinkingCameApart(news.text);
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
  const most = Math.max(outputTokens, progress.pieces) + FEW_TOKENS;
  const isShort = outputTokens > 0 && most < maxTokens * NEARLY_ALL;
  progress.isLimitedByService = isShortened || isShort;
  if (calls === null) promptMeasured(service, progress.model ?? "", messages, inputTokens);
  const least = leastOfCut(messages, inputTokens);
  if (least !== null) warnAboutCutPrompt(inputTokens, least, progress);
  yield* take(splitter.end());
  if (calls !== null) {
    const isWhole = !cutter.isCut && progress.isWhole;
    // After a stop string the cutter takes nothing.
    yield* addText(cutter.push(endCalls(calls, isWhole).text));
  }
  yield* addText(cutter.end());
  if (cutter.isCut) {
    // Only what was held back until the end completed the stop string.
    progress.cutAtStop();
  } else if (!hasCall && progress.onlyReasoning !== "") {
    if (toolbox !== null) {
      // Some models call a tool before they end their thinking.
      const reader = new CallReader(toolbox);
      reader.pushText(progress.onlyReasoning);
      if (endCalls(reader, true).calls.length > 0) return;
    }
    progress.warn("The service sent the whole answer as reasoning; it is given as text.");
    const text = cutter.push(progress.onlyReasoning) + cutter.end();
    progress.reasoningWasText(text);
    if (cutter.isCut) progress.cutAtStop();
    yield { type: "text", text };
  }
}

function warnAboutBusyDevice(dialect: Dialect, progress: CompletionProgress): void {
  if (dialect.can.stopsOnDisconnect !== false) return;
  progress.warn(
    "The answer ended at a stop string, but this version of Foundry Local generates on to its token limit, so the device may be busy for a while.",
  );
}

function warnAboutOverrun(dialect: Dialect, progress: CompletionProgress): void {
  progress.warn(
    `The service did not stop at \`maxTokens\`, so the answer was cut off here.${
      dialect.can.stopsOnDisconnect === false
        ? " It may go on without being read, so the device may be busy for a while."
        : ""
    }`,
  );
}

function warnAboutCutPrompt(counted: number, least: number, progress: CompletionProgress): void {
  progress.warn(
    `The service counted ${counted} tokens in a prompt that has at least ${least}: it probably cut the prompt to its context, so the answer may miss a part of it. Shorten the prompt, or give the model a longer context in the engine.`,
  );
}

function warnAboutUnknownEnd(said: string | null, progress: CompletionProgress): void {
  if (said === null) {
    progress.warn(
      "The service ended the answer without a finish_reason, so it may have been cut off. llama-cpp-python cuts an answer off when another request comes: start it with `--interrupt_requests false`.",
    );
    return;
  }
  progress.warn(
    `The service ended the answer for a reason that is not known here, ${JSON.stringify(printable(said, MAX_UNKNOWN_WORD))}, so it may not be whole.`,
  );
}

export const THOUGHT_ALTHOUGH_OFF =
  "The model thought although reasoning is off: it ignores its switch for thinking, or has none that is known here.";

/** An estimate that is so much above the budget is no error of the estimate. */
const FAR_ABOVE = 1.5;

export function warnAboutThinking(
  { reasoning, reasoningBudget }: CompletionRequest,
  progress: CompletionProgress,
): void {
  const { thoughtTokens } = progress;
  if (reasoning === "off" && thoughtTokens > 0) {
    progress.warn(THOUGHT_ALTHOUGH_OFF);
  } else if (reasoningBudget !== undefined && thoughtTokens > reasoningBudget * FAR_ABOVE) {
    progress.warn(
      `The model thought for about ${thoughtTokens} tokens although \`reasoningBudget\` is ${reasoningBudget}: this service does not hold it to a budget. llama.cpp and vLLM do; otherwise set reasoning to off, or raise \`maxTokens\`.`,
    );
  }
}

export function warnAboutEmptiness(
  { reasoning }: CompletionRequest,
  progress: CompletionProgress,
): void {
  const { text, finishReason, toolCalls, isLimitedByService } = progress.snapshot();
  if (text.trim() !== "" || toolCalls !== undefined) return;
  if (finishReason === "content_filter") {
    progress.warn("A content filter ended the answer before its first word.");
  } else if (isLimitedByService === true) {
    progress.warn("The context of the model was full before the answer had a text.");
  } else if (finishReason === "length" && progress.thoughtTokens > 0) {
    progress.warn(
      `The model used up its tokens while thinking and gave no answer. Ask again with a larger \`maxTokens\`${reasoning === "off" ? "" : ", or with reasoning off"}.`,
    );
  } else {
    progress.warn("The model gave no text.");
  }
}
