import type { PromptMessage } from "../../engine/tokens.js";
import type { DeclaredTool, ToolChoice } from "../../engine/tool-calls.js";
import type { Call } from "./core1.js";
import { plainValue } from "./json-reader.js";
import { type Fields, readRequest } from "./request-fields.js";
import { declaredTools, toolChoice } from "./tools.js";

const MODELS = "Betalgo.Ranul.OpenAI.ObjectModels.RequestModels";

/** A chat request that could be read. What is not here is ignored, `stop` and `response_format` too. */
export interface ChatRequest {
  readonly model: string | null;
  readonly messages: readonly PromptMessage[];
  readonly stream: boolean;
  /** The one that a cut answer owns up to. */
  readonly maxTokens: number | null;
  readonly maxCompletionTokens: number | null;
  readonly temperature: number | null;
  readonly topP: number | null;
  readonly tools: readonly DeclaredTool[];
  readonly choice: ToolChoice;
}

/** @throws {Core1Error} when it cannot be read. */
export function readChatRequest({ request, body }: Call): ChatRequest {
  return readRequest(request.head, body, `${MODELS}.ChatCompletionCreateRequest`, (fields) => {
    for (const name of ["n", "seed", "top_logprobs"]) fields.whole(name);
    for (const name of ["frequency_penalty", "presence_penalty"]) fields.number(name);
    return {
      model: fields.text("model"),
      messages: fields
        .objects("messages", `System.Collections.Generic.IList\`1[${MODELS}.ChatMessage]`)
        .map(readMessage),
      stream: fields.flag("stream") ?? false,
      maxTokens: fields.whole("max_tokens"),
      maxCompletionTokens: fields.whole("max_completion_tokens"),
      temperature: fields.number("temperature"),
      topP: fields.number("top_p"),
      tools: declaredTools(fields),
      choice: toolChoice(fields),
    };
  });
}

/** The template gets role and content as they are: of parts, the JSON. */
function readMessage(message: Fields): PromptMessage {
  const content = message.anything("content");
  return {
    role: message.text("role") ?? "",
    content: content === undefined ? "" : contentText(plainValue(content)),
  };
}

const contentText = (value: unknown): string =>
  typeof value === "string" ? value : JSON.stringify(value);
