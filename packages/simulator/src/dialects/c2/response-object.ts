import type { ToolCall } from "../../engine/script.js";
import { callId, hexId } from "../ids.js";
import { Float } from "./json.js";
import type { ResponseRequest } from "./response-request.js";
import { numberOf } from "./sampling.js";
import { isObject } from "./shape.js";
import type { Run } from "./turn.js";

/** How far a response has come. */
export interface ResponseState {
  readonly status: "in_progress" | "completed" | "incomplete" | "failed";
  readonly at: number;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly output: readonly Item[];
  readonly run: Run | null;
}

export type Item = Readonly<Record<string, unknown>>;

/** The object of a response, with every member the service writes. */
export function responseObject(
  id: string,
  created: number,
  request: ResponseRequest,
  state: ResponseState,
): Record<string, unknown> {
  const { body } = request;
  const float = (key: string, standard: number) => new Float(numberOf(body[key]) ?? standard);
  return {
    background: false,
    cancelled_at: null,
    completed_at: state.status === "completed" ? state.at : null,
    created_at: created,
    error: state.error,
    failed_at: state.status === "failed" ? state.at : null,
    frequency_penalty: float("frequency_penalty", 0),
    id,
    incomplete_details: state.status === "incomplete" ? { reason: "max_output_tokens" } : null,
    instructions: request.instructions,
    max_output_tokens: request.sampling.maxTokens,
    metadata: textMembers(body["metadata"]),
    model: request.model,
    object: "response",
    output: state.output,
    output_text: state.output.map(outputText).join(""),
    parallel_tool_calls: body["parallel_tool_calls"] !== false,
    presence_penalty: float("presence_penalty", 0),
    previous_response_id: request.previousId,
    reasoning: body["reasoning"] ?? null,
    service_tier: "default",
    status: state.status,
    store: request.store,
    temperature: float("temperature", 1),
    text: body["text"] ?? { format: { type: "text" } },
    tool_choice: body["tool_choice"] ?? "auto",
    tools: Array.isArray(body["tools"]) ? body["tools"] : [],
    top_logprobs: 0,
    top_p: float("top_p", 1),
    truncation: "disabled",
    usage: {
      input_tokens: state.run?.inputTokens ?? 0,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: state.run?.outputTokens ?? 0,
      output_tokens_details: { reasoning_tokens: state.run?.reasoningTokens ?? 0 },
      total_tokens: (state.run?.inputTokens ?? 0) + (state.run?.outputTokens ?? 0),
    },
    user: typeof body["user"] === "string" ? body["user"] : null,
  };
}

function textMembers(metadata: unknown): Record<string, unknown> {
  if (!isObject(metadata)) return {};
  return Object.fromEntries(Object.entries(metadata).filter(([, v]) => typeof v === "string"));
}

function outputText(item: Item): string {
  const content = Array.isArray(item["content"]) ? item["content"] : [];
  return content
    .map((part: unknown) =>
      isObject(part) && typeof part["text"] === "string" ? part["text"] : "",
    )
    .join("");
}

export function messageItem(id: string, text: string | null, status: string): Item {
  const content = text === null ? [] : [{ text, type: "output_text" }];
  return { content, id, role: "assistant", status, type: "message" };
}

export function reasoningItem(id: string, text: string | null, status: string): Item {
  const summary = text === null ? [] : [{ text, type: "summary_text" }];
  return { id, status, summary, type: "reasoning" };
}

export function callItem(call: ToolCall): Item {
  return {
    arguments: JSON.stringify(call.arguments),
    call_id: callId(),
    id: hexId("fc_", 16),
    name: call.name,
    status: "completed",
    type: "function_call",
  };
}
