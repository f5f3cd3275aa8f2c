import { randomBytes } from "node:crypto";
import type { ToolCall } from "../../engine/script.js";
import type { ResponseRequest } from "./response-request.js";
import { argumentsText, shortId } from "./tools.js";
import type { Run } from "./turn.js";

export type Item = Readonly<Record<string, unknown>> & { readonly id: string };

/** What has become of a response so far. */
export interface ResponseState {
  readonly status: "in_progress" | "completed" | "failed";
  /** When it ended, in seconds; `null`: it runs. */
  readonly endedAt: number | null;
  readonly output: readonly Item[];
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly run: Run | null;
}

/** A prefix and 32 hexadecimal digits. */
export function longId(prefix: "resp_" | "msg_" | "fc_"): string {
  return prefix + randomBytes(16).toString("hex");
}

/** The object of a response, its members in the service's order. */
export function responseObject(
  id: string,
  createdAt: number,
  asked: ResponseRequest,
  state: ResponseState,
) {
  const { repeated } = asked;
  const { status, endedAt, run } = state;
  return {
    id,
    object: "response",
    created_at: createdAt,
    completed_at: status === "completed" ? endedAt : null,
    failed_at: status === "failed" ? endedAt : null,
    cancelled_at: null,
    status,
    incomplete_details: null,
    model: asked.model,
    previous_response_id: asked.previousId,
    instructions: asked.instructions,
    output: state.output,
    error: state.error,
    tools: repeated["tools"] ?? [],
    tool_choice: repeated["tool_choice"] ?? "auto",
    truncation: repeated["truncation"] ?? "disabled",
    parallel_tool_calls: true,
    text: { format: { type: "text" } },
    top_p: asked.topP ?? 1,
    presence_penalty: 0,
    frequency_penalty: 0,
    top_logprobs: 0,
    temperature: asked.temperature ?? 1,
    reasoning: repeated["reasoning"] ?? null,
    usage: status === "completed" && run !== null ? usageOf(run) : null,
    max_output_tokens: asked.maxTokens,
    max_tool_calls: null,
    store: asked.store,
    background: false,
    service_tier: "default",
    safety_identifier: null,
    prompt_cache_key: null,
    metadata: repeated["metadata"] ?? null,
    user: repeated["user"] ?? null,
  };
}

function usageOf(run: Run) {
  return {
    input_tokens: run.inputTokens,
    output_tokens: run.outputTokens,
    total_tokens: run.inputTokens + run.outputTokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens_details: { reasoning_tokens: 0 },
  };
}

export function textPart(text: string) {
  return { type: "output_text", text, annotations: [], logprobs: [] };
}

export function messageItem(id: string, text: string, status: string): Item {
  return { type: "message", role: "assistant", content: [textPart(text)], id, status };
}

/** Never recorded: as OpenAI documents it. */
export function callItem(call: ToolCall): Item {
  return {
    type: "function_call",
    call_id: shortId(),
    name: call.name,
    arguments: argumentsText(call),
    id: longId("fc_"),
    status: "completed",
  };
}
