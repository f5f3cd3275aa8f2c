import type { PromptMessage } from "../../engine/tokens.js";
import type { Switches } from "../../switches.js";
import { C2Error, LateError } from "./errors.js";
import { asString, at, isObject } from "./shape.js";
import { sourceText } from "./source-lines.js";

const ROLES = new Set(["system", "user", "assistant", "developer", "tool"]);
const TRANSCRIPT =
  "const fl::TranscriptMessage&, const std::unordered_set<std::__cxx11::basic_string<char> >&, std::unordered_set<std::__cxx11::basic_string<char> >&";
const ASSISTANT_TRANSCRIPT =
  "const fl::TranscriptMessage&, std::unordered_set<std::__cxx11::basic_string<char> >&, std::unordered_set<std::__cxx11::basic_string<char> >&";

/** A message of a chat request, read. */
export interface ChatMessage extends PromptMessage {
  readonly toolCallId: string | null;
  readonly toolCallIds: readonly string[];
}

/** Text of `content`: a string, or the text parts of an array; images are dropped. */
export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .filter(
      (part: unknown) =>
        isObject(part) && (part["type"] === "text" || part["type"] === "input_text"),
    )
    .map((part: unknown) =>
      isObject(part) && typeof part["text"] === "string" ? part["text"] : "",
    )
    .join("");
}

/** Checks a message as far as it is checked before the model is looked up. */
export function readMessage(message: unknown, switches: Switches): ChatMessage {
  const role = asString(at(message, "role"));
  const known = isObject(message) ? message : {};
  const calls = Array.isArray(known["tool_calls"]) ? known["tool_calls"] : [];
  const toolCallId = typeof known["tool_call_id"] === "string" ? known["tool_call_id"] : null;
  if (role === "tool" && switches.toolHistory === "used" && !toolCallId) {
    throw new C2Error(
      400,
      "Invalid request: chat_completions.cc:217 void fl::from_json(const nlohmann::json_abi_v3_11_3::json&, ChatCompletionMessage&) tool message tool_call_id must be a non-empty string",
    );
  }
  return {
    role: ROLES.has(role) ? role : "none",
    content: textOf(known["content"]),
    toolCallId,
    toolCallIds: calls.map((call: unknown) => (isObject(call) ? String(call["id"]) : "")),
  };
}

/** What reaches the chat template. @throws {LateError} when calls and results do not fit. */
export function promptMessages(
  messages: readonly ChatMessage[],
  switches: Switches,
): PromptMessage[] {
  if (switches.toolHistory === "dropped") {
    const said = messages.filter(({ content }) => content !== "");
    const kept = said.filter(({ role }) => role !== "tool");
    // That something was said is checked before the results of tools are dropped.
    if (said.length > kept.length && kept.length === 0) {
      throw new LateError(sourceText("messagesEmpty", switches), true);
    }
    return kept;
  }
  checkToolHistory(messages);
  return messages.filter(
    ({ role, content, toolCallIds }) => role === "tool" || content !== "" || toolCallIds.length > 0,
  );
}

/** @throws {LateError} when a result belongs to no call, or two calls have one id. */
export function checkToolHistory(messages: readonly ChatMessage[]): void {
  const called = new Set<string>();
  for (const message of messages) {
    for (const id of message.toolCallIds) {
      if (called.has(id)) {
        throw new LateError(
          `chat_transcript.cc:434 void fl::{anonymous}::StageAssistantMessage(${ASSISTANT_TRANSCRIPT}) tool call id '${id}' is already used by another tool call`,
          true,
        );
      }
      called.add(id);
    }
    if (message.role === "tool" && !called.has(message.toolCallId ?? "")) {
      throw new LateError(
        `chat_transcript.cc:459 void fl::{anonymous}::StageToolResult(${TRANSCRIPT}) tool result references unknown tool call id '${message.toolCallId}'`,
        true,
      );
    }
  }
}
