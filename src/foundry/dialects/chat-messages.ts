import { hash } from "node:crypto";
import { parametersOf, type ToolChoice, type ToolDefinition } from "../tools/index.js";
import type { ChatMessage, ChatRequest, MessageImage } from "./dialect.js";

/** The messages of a chat as a service takes them. */

export interface ToolQuirks {
  /** It ignores tools, so the system text describes them. */
  readonly toolsAsText?: boolean;
  /** It drops calls and results of tools from a conversation, so they are sent as text. */
  readonly dropsToolResults?: boolean;
}

/** Which parts of a request are sent as text of its messages, since the service ignores their fields. */
interface SentAsText {
  readonly tools: boolean;
  readonly results: boolean;
}

/** The messages, with the tools and their results as text where the service takes no other form. */
export function messagesFor(request: ChatRequest, asText: SentAsText): readonly ChatMessage[] {
  const { messages, tools, toolChoice } = request;
  const shown = asText.results ? withResultsAsText(messages) : messages;
  const described =
    asText.tools && tools ? withSystemText(shown, ruleOf(tools, toolChoice)) : shown;
  return withThinkingSwitch(described, request);
}

/** Qwen3, and not Qwen3.5, which has the switch only in its template. */
const HAS_PROMPT_SWITCH = /qwen-?3(?![.\d])/i;
const PROMPT_SWITCH = "/no_think";

/** The messages with the switch of the model's prompt, behind the last message of the user. */
function withThinkingSwitch(
  messages: readonly ChatMessage[],
  { model, reasoning }: ChatRequest,
): readonly ChatMessage[] {
  if (reasoning !== "off" || !HAS_PROMPT_SWITCH.test(model.id)) return messages;
  const last = messages.findLastIndex(({ role }) => role === "user");
  return messages.map((message, index) =>
    index !== last || message.content.trimEnd().endsWith(PROMPT_SWITCH)
      ? message
      : { ...message, content: `${message.content} ${PROMPT_SWITCH}` },
  );
}

/** The messages with a text at the end of the system message, which is made where there is none. */
export function withSystemText(messages: readonly ChatMessage[], text: string): ChatMessage[] {
  const [first, ...rest] = messages;
  if (first?.role !== "system") return [{ role: "system", content: text }, ...messages];
  return [{ role: "system", content: `${first.content}\n\n${text}` }, ...rest];
}

export const hasImages = ({ messages }: ChatRequest): boolean =>
  messages.some(({ images }) => images !== undefined);

/** The text and the images of a message, in their order. */
function partsOf({ content, images = [] }: ChatMessage): (string | MessageImage)[] {
  const parts: (string | MessageImage)[] = [];
  let from = 0;
  for (const image of images) {
    parts.push(content.slice(from, image.at), image);
    from = image.at;
  }
  return [...parts, content.slice(from)].filter((part) => part !== "");
}

export const dataUrl = ({ mimeType, data }: MessageImage): string =>
  `data:${mimeType};base64,${data}`;

/** Two messages as one, the text of the second below that of the first. */
function joinedMessages(one: ChatMessage, other: ChatMessage): ChatMessage {
  const content = `${one.content}\n\n${other.content}`;
  const before = content.length - other.content.length;
  const moved = (other.images ?? []).map((image) => ({ ...image, at: before + image.at }));
  const images = [...(one.images ?? []), ...moved];
  return { role: other.role, content, ...(images.length === 0 ? {} : { images }) };
}

/** Text alone as a string: core 2 skips the parts of an assistant's message. */
export const contentOf = (
  message: ChatMessage,
  wirePart: (part: string | MessageImage) => object,
): string | object[] =>
  message.images === undefined ? message.content : partsOf(message).map(wirePart);

export const wireMessage = (message: ChatMessage): object => ({
  role: message.role,
  content: contentOf(message, (part) =>
    typeof part === "string"
      ? { type: "text", text: part }
      : { type: "image_url", image_url: { url: dataUrl(part) } },
  ),
  tool_calls: message.toolCalls?.map(({ id, name, arguments: given }) => ({
    id,
    type: "function",
    function: { name, arguments: JSON.stringify(given) },
  })),
  tool_call_id: message.toolCallId,
});

/** What the caller must know of the form in which tools and results were sent. */
export function toolNotes({ messages, tools }: ChatRequest, asText: SentAsText): string[] {
  const hasResults = messages.some(({ role }) => role === "tool");
  return [
    ...(asText.tools && tools !== undefined
      ? ["This service takes no tools, so the system text describes them."]
      : []),
    ...(asText.results && hasResults
      ? ["This service drops the results of tools, so they were sent as text of the user."]
      : []),
  ];
}

/** The messages, with those of the same role next to each other joined where they may be. */
function joined(
  messages: readonly ChatMessage[],
  mayJoin: (one: ChatMessage, other: ChatMessage) => boolean,
): ChatMessage[] {
  const all: ChatMessage[] = [];
  for (const message of messages) {
    const last = all.at(-1);
    if (last?.role !== message.role || !mayJoin(last, message)) all.push(message);
    else all.splice(-1, 1, joinedMessages(last, message));
  }
  return all;
}

/**
 * The text of system messages in front of the first user message. Templates that refuse the role want
 * the other roles to alternate, so neighbours of the same role are joined.
 */
export function withoutSystem(messages: readonly ChatMessage[]): ChatMessage[] {
  const system = messages.filter(({ role }) => role === "system");
  const others = messages.filter(({ role }) => role !== "system");
  const asUser = system.map(({ content }) => ({ role: "user" as const, content }));
  return joined([...asUser, ...others], (one, other) => !isOfTools(one) && !isOfTools(other));
}

/** With ids of nine letters and digits, the only ones that templates of Mistral take. */
export function withShortIds(messages: readonly ChatMessage[]): ChatMessage[] {
  const short = (id: string): string => hash("sha256", id, "hex").slice(0, 9);
  return messages.map(({ toolCalls, toolCallId, ...message }) => ({
    ...message,
    toolCalls: toolCalls?.map((call) => ({ ...call, id: short(call.id) })),
    toolCallId: toolCallId === undefined ? undefined : short(toolCallId),
  }));
}

const isOfTools = ({ role, toolCalls }: ChatMessage): boolean =>
  role === "tool" || toolCalls !== undefined;

/** Neighbours of the same role are joined, since many templates want the roles to alternate. */
function withResultsAsText(messages: readonly ChatMessage[]): ChatMessage[] {
  const names = new Map<string, string>();
  const asText = messages.map((message) => {
    for (const { id, name } of message.toolCalls ?? []) names.set(id, name);
    return textMessage(message, names);
  });
  const unchanged = new Set(messages);
  return joined(asText, (_, message) => !unchanged.has(message));
}

function textMessage(message: ChatMessage, names: ReadonlyMap<string, string>): ChatMessage {
  const { role, content, toolCalls, toolCallId = "" } = message;
  if (role === "tool") {
    const name = names.get(toolCallId);
    const whose = name === undefined ? toolCallId : `${name} (${toolCallId})`;
    return { role: "user", content: `The tool ${whose} returned:\n${content || "(nothing)"}` };
  }
  if (toolCalls === undefined) return message;
  const calls = toolCalls.map(({ name, arguments: given }) => callText(name, given));
  return { role, content: [content, ...calls].filter((part) => part !== "").join("\n") };
}

const callText = (name: string, given: unknown): string =>
  `<tool_call>\n${JSON.stringify({ name, arguments: given })}\n</tool_call>`;

function ruleOf(tools: readonly ToolDefinition[], choice: ToolChoice | undefined): string {
  const lines = tools.map((tool) => {
    const { name, description } = tool.function;
    return JSON.stringify({ name, description, parameters: parametersOf(tool) });
  });
  const must =
    typeof choice === "object"
      ? `\nCall the tool ${choice.function.name} now.`
      : choice === "required"
        ? "\nCall a tool now."
        : "";
  return `You can call these tools; "parameters" is the JSON Schema of the arguments:\n${lines.join("\n")}\nTo call a tool, answer with nothing but the call, one for each tool, in this form:\n${callText("name of the tool", {})}${must}`;
}
