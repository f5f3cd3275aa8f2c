import type { DeclaredTool, ToolChoice } from "../../engine/tool-calls.js";
import type { Switches } from "../../switches.js";
import { C2Error } from "./errors.js";
import { type ChatMessage, textOf } from "./messages.js";
import type { ParsedJson } from "./nlohmann.js";
import { integerOf, numberOf, refusePenalties, type Sampling } from "./sampling.js";
import { isObject } from "./shape.js";

/** A request for a response that passed the checks that come before the model is looked up. */
export interface ResponseRequest {
  readonly body: Record<string, unknown>;
  readonly model: string;
  readonly stream: boolean;
  readonly store: boolean;
  readonly previousId: string | null;
  readonly instructions: string | null;
  readonly input: readonly unknown[];
  readonly messages: readonly ChatMessage[];
  readonly sampling: Sampling;
  readonly tools: readonly DeclaredTool[];
  readonly choice: ToolChoice;
}

/** @throws {C2Error} 400, in the words of the service. */
export function readResponseRequest(json: ParsedJson, switches: Switches): ResponseRequest {
  const body = isObject(json.value) ? json.value : {};
  const { model, input } = body;
  if (typeof model !== "string") throw new C2Error(400, "Missing required field: model");
  if (input === undefined) throw new C2Error(400, "Missing required field: input");
  if (typeof input !== "string" && !Array.isArray(input)) {
    throw new C2Error(400, "Invalid input: 'input' must be a string or array");
  }
  const items: readonly unknown[] =
    typeof input === "string"
      ? [{ content: input, role: "user", status: "completed", type: "message" }]
      : input;
  refusePenalties(body, switches);
  const tools = Array.isArray(body["tools"]) ? body["tools"].flatMap(declared) : [];
  return {
    body,
    model,
    stream: body["stream"] === true,
    store: body["store"] === true,
    previousId: stringOf(body["previous_response_id"]),
    instructions: stringOf(body["instructions"]),
    input: items,
    messages: items.flatMap((item) => messageOf(item, switches)),
    sampling: {
      temperature: numberOf(body["temperature"]),
      topP: numberOf(body["top_p"]),
      maxTokens: integerOf(json, "max_output_tokens"),
      metadata: {},
    },
    tools,
    choice: choiceOf(body["tool_choice"]),
  };
}

function messageOf(item: unknown, switches: Switches): ChatMessage[] {
  if (!isObject(item)) {
    throw new C2Error(400, "Invalid input item: Each input item must be an object");
  }
  const { type, role } = item;
  if (type === "function_call_output") {
    return [message("tool", stringOf(item["output"]) ?? "", stringOf(item["call_id"]))];
  }
  if (type === "function_call" || type === "reasoning" || type === "custom_tool_call") {
    if (switches.responses === "2.0") {
      throw new C2Error(
        400,
        "Invalid request parameters: [json.exception.out_of_range.403] key 'role' not found",
      );
    }
    if (type === "reasoning") return [];
    return [{ ...message("assistant", ""), toolCallIds: [stringOf(item["call_id"]) ?? ""] }];
  }
  if (typeof role !== "string") {
    throw new C2Error(400, "Invalid input item: Message items must have a 'role' field");
  }
  const content = textOf(item["content"]);
  return content === "" ? [] : [message(role, content)];
}

function message(role: string, content: string, toolCallId: string | null = null): ChatMessage {
  return { role, content, toolCallId, toolCallIds: [] };
}

function declared(tool: unknown): DeclaredTool[] {
  if (!isObject(tool)) return [];
  const definition = isObject(tool["function"]) ? tool["function"] : tool;
  const name = stringOf(definition["name"]);
  return name === null ? [] : [{ name, parameters: definition["parameters"] }];
}

function choiceOf(value: unknown): ToolChoice {
  if (value === "none" || value === "required") return value;
  const name = isObject(value) ? stringOf(value["name"]) : null;
  return name === null ? "auto" : { name };
}

function stringOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
