import type { CompletionStream } from "../jobs/index.js";
import type { Screen, TextOutput } from "./terminal.js";

/**
 * Shows the events of a completion until it has ended: its text in `output`, what it waits for in `notes`.
 *
 * @param output `null`: the text is not shown.
 */
export async function showAnswer(
  stream: CompletionStream,
  output: TextOutput | null,
  notes: Screen,
): Promise<void> {
  let hasText = false;
  for await (const event of stream) {
    if (event.type === "status") {
      const isLoading = event.status === "loading";
      const message = isLoading ? `Loading ${event.model}` : "Waiting for the answer";
      // In the log of a script, only what may take minutes is of use.
      if (isLoading || notes.isTerminal) notes.progress({ message });
    } else if (event.type === "reasoning") {
      if (notes.isTerminal && !hasText) notes.progress({ message: "Thinking" });
    } else if (event.type === "text" && output !== null) {
      notes.clear();
      output.stream(event.text);
      hasText ||= event.text !== "";
    } else if (event.type === "text_was_reasoning" || event.type === "text_dropped") {
      const isThinking = event.type === "text_was_reasoning";
      if (output?.endStream()) {
        notes.faint(isThinking ? "Note: the text above was thinking." : "Note: answering again.");
      }
      hasText = false;
    }
  }
}
