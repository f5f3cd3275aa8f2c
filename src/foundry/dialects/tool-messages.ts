import { parametersOf, type ToolChoice, type ToolDefinition } from "../tools/index.js";
import type { ChatMessage, ChatRequest, MessageImage } from "./dialect.js";

/** What a service does with tools. */
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

type Asked = Pick<ChatRequest, "messages" | "tools" | "toolChoice">;

/** The messages, with the tools and their results as text where the service takes no other form. */
export function messagesWithTools(request: Asked, asText: SentAsText): readonly ChatMessage[] {
  const messages = asText.results ? withResultsAsText(request.messages) : request.messages;
  if (!asText.tools || request.tools === undefined) return messages;
  const rule = ruleOf(request.tools, request.toolChoice);
  return withSystemText(messages, rule);
}

/** The messages with a text at the end of the system message, which is made where there is none. */
export function withSystemText(messages: readonly ChatMessage[], text: string): ChatMessage[] {
  const [first, ...rest] = messages;
  if (first?.role !== "system") return [{ role: "system", content: text }, ...messages];
  return [{ role: "system", content: `${first.content}\n\n${text}` }, ...rest];
}

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
export function joinedMessages(one: ChatMessage, other: ChatMessage): ChatMessage {
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

/** A message as it is sent. */
export const wireMessage = (message: ChatMessage): object => ({
  role: message.role,
  content: contentOf(message, (part) =>
    typeof part === "string"
      ? { type: "text", text: part }
      : { type: "image_url", image_url: { url: dataUrl(part) } },
  ),
  ...callsOf(message),
});

const callsOf = ({ toolCalls, toolCallId }: ChatMessage): object => ({
  ...(toolCalls === undefined
    ? {}
    : {
        tool_calls: toolCalls.map(({ id, name, arguments: given }) => ({
          id,
          type: "function",
          function: { name, arguments: JSON.stringify(given) },
        })),
      }),
  ...(toolCallId === undefined ? {} : { tool_call_id: toolCallId }),
});

/** What the caller must know of the form in which tools and results were sent. */
export function toolNotes({ messages, tools }: Asked, asText: SentAsText): string[] {
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

/** Neighbours of the same role are joined, since many templates want the roles to alternate. */
function withResultsAsText(messages: readonly ChatMessage[]): ChatMessage[] {
  const names = new Map<string, string>();
  const joined: ChatMessage[] = [];
  for (const message of messages) {
    for (const { id, name } of message.toolCalls ?? []) names.set(id, name);
    const next = textMessage(message, names);
    const last = joined.at(-1);
    const isResult = message.role === "tool" || next !== message;
    if (last?.role !== next.role || !isResult) joined.push(next);
    else joined.splice(-1, 1, joinedMessages(last, next));
  }
  return joined;
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
