import type { PromptMessage } from "../../engine/tokens.js";
import type { DeclaredTool, ToolChoice } from "../../engine/tool-calls.js";
import type { Call } from "./core1.js";
import { type JsonNode, plainValue } from "./json-reader.js";
import { type Fields, readRequest } from "./request-fields.js";
import { declaredTools, toolChoice } from "./tools.js";

/** A request for a response that could be read. */
export interface ResponseRequest {
  readonly model: string | null;
  readonly messages: readonly PromptMessage[];
  /** As they came, for `input_items`. */
  readonly input: readonly unknown[];
  readonly stream: boolean;
  readonly store: boolean;
  readonly previousId: string | null;
  readonly instructions: string | null;
  readonly maxTokens: number | null;
  readonly temperature: number | null;
  readonly topP: number | null;
  readonly tools: readonly DeclaredTool[];
  readonly choice: ToolChoice;
  /** Members that are said again as they came. */
  readonly repeated: Readonly<Record<string, unknown>>;
}

const REPEATED = ["tools", "tool_choice", "metadata", "user", "truncation", "reasoning"];

/** @throws {Core1Error} when it cannot be read. */
export function readResponseRequest({ request, body }: Call): ResponseRequest {
  return readRequest(request.head, body, "ResponseCreateRequest", (fields) => {
    const instructions = fields.text("instructions");
    const input = inputItems(fields.anything("input"));
    const system = instructions === null ? [] : [{ role: "system", content: instructions }];
    return {
      model: fields.text("model"),
      messages: [...system, ...input.flatMap(messageOf)],
      input,
      stream: fields.flag("stream") ?? false,
      store: fields.flag("store") ?? false,
      previousId: fields.text("previous_response_id"),
      instructions,
      maxTokens: fields.whole("max_output_tokens"),
      temperature: fields.number("temperature"),
      topP: fields.number("top_p"),
      tools: declaredTools(fields),
      choice: toolChoice(fields),
      repeated: repeatedOf(fields),
    };
  });
}

function repeatedOf(fields: Fields): Record<string, unknown> {
  return Object.fromEntries(
    REPEATED.flatMap((name) => {
      const node = fields.node(name);
      return node === undefined ? [] : [[name, plainValue(node)]];
    }),
  );
}

function inputItems(input: JsonNode | undefined): readonly unknown[] {
  if (input === undefined) return [];
  const value = plainValue(input);
  if (Array.isArray(value)) return value;
  return [{ type: "message", role: "user", content: value }];
}

function messageOf(item: unknown): PromptMessage[] {
  if (typeof item !== "object" || item === null) return [];
  if ("output" in item) return [{ role: "tool", content: textOf(item.output) }];
  if (!("role" in item) || !("content" in item)) return [];
  return [{ role: String(item.role), content: textOf(item.content) }];
}

/** A text, or the texts of a list of parts. */
function textOf(content: unknown): string {
  if (!Array.isArray(content)) return typeof content === "string" ? content : "";
  return content
    .map((part: unknown) =>
      typeof part === "object" && part !== null && "text" in part ? String(part.text) : "",
    )
    .join("");
}
