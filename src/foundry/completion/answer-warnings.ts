import { MAX_UNKNOWN_WORD, printable } from "../../lib/index.js";
import type { Dialect } from "../dialects/index.js";
import type { CompletionRequest } from "./completion.js";
import type { CompletionProgress } from "./progress.js";

export function warnAboutBusyDevice(dialect: Dialect, progress: CompletionProgress): void {
  if (dialect.can.stopsOnDisconnect !== false) return;
  progress.warn(
    "The answer ended at a stop string, but this version of Foundry Local generates on to its token limit, so the device may be busy for a while.",
  );
}

export function warnAboutOverrun(dialect: Dialect, progress: CompletionProgress): void {
  progress.warn(
    `The service did not stop at \`maxTokens\`, so the answer was cut off here.${
      dialect.can.stopsOnDisconnect === false
        ? " It may go on without being read, so the device may be busy for a while."
        : ""
    }`,
  );
}

export function warnAboutUnknownEnd(said: string, progress: CompletionProgress): void {
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
  const { text, finishReason, toolCalls } = progress.snapshot();
  if (text.trim() !== "" || toolCalls !== undefined) return;
  if (finishReason === "content_filter") {
    progress.warn("A content filter ended the answer before its first word.");
  } else if (finishReason === "length" && progress.hasThought) {
    progress.warn(
      `The model used up its tokens while thinking and gave no answer. Ask again with a larger \`maxTokens\`${reasoning === "off" ? "" : ", or with reasoning off"}.`,
    );
  } else {
    progress.warn("The model gave no text.");
  }
}
