import type { ChatMessage } from "../dialects/index.js";
import type { CompletionRequest } from "./request.js";

export interface PreparedMessages {
  readonly messages: readonly ChatMessage[];
  /** Length of all texts, to guess their tokens from. */
  readonly characters: number;
  readonly warnings: readonly string[];
}

/**
 * The conversation as it is sent. Text with half a surrogate pair cannot be put into UTF-8, and the
 * services refuse or garble it, so the halves are replaced, and the caller is told.
 */
export function prepareMessages(request: CompletionRequest): PreparedMessages {
  const system: ChatMessage[] =
    request.system === undefined ? [] : [{ role: "system", content: request.system }];
  const conversation: readonly ChatMessage[] = request.messages ?? [
    { role: "user", content: request.prompt ?? "" },
  ];
  const given = [...system, ...conversation];
  const isWellFormed = given.every(({ content }) => content.isWellFormed());
  const messages = given.map(({ role, content }) => ({ role, content: content.toWellFormed() }));
  return {
    messages,
    characters: messages.reduce((sum, { content }) => sum + content.length, 0),
    warnings: isWellFormed
      ? []
      : [
          "The text held characters that are no valid Unicode (halves of surrogate pairs); each was replaced by U+FFFD.",
        ],
  };
}
