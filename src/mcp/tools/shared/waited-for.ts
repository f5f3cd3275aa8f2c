import type { CompletionState } from "../../../jobs/index.js";
import { onAbort } from "../../../lib/index.js";
import type { ToolContext } from "../../tool.js";
import { reportEvent, reportState } from "./completion-result.js";

/**
 * Waits for a completion this call started, and makes the answer of it. Until then, cancelling the call
 * may cancel the completion.
 */
export async function waitedFor<T>(
  state: CompletionState,
  withinMs: number,
  { client, signal, progress, cancellation, afterGrace }: ToolContext,
  answerOf: (state: CompletionState) => Promise<T>,
): Promise<T> {
  const { id } = state;
  reportState(state, progress);
  // Known before the prompt is sent, or not at all: no completion waits for a disk.
  void client.speeds?.read();
  const { completions } = client;
  // Detach synchronously on abort: the host's next message may already repeat this call.
  const leave = (): void => {
    const meant = cancellation();
    if (meant === "stop") return;
    const abandonUnlessAsked = completions.detach(id);
    if (meant === "unclear") afterGrace(abandonUnlessAsked);
  };
  const stopListening = onAbort(signal, leave);
  if (signal.aborted) leave();
  try {
    const waited = await completions.wait(id, {
      withinMs,
      signal,
      onEvent: (event) => reportEvent(event, progress, () => client.readingEstimate(id)),
    });
    return await answerOf(waited);
  } finally {
    stopListening();
    if (signal.aborted && cancellation() === "stop") completions.abandon(id);
  }
}
