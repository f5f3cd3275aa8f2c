import type { ChatMessage, ChatRequest } from "./dialect.js";

/**
 * How a model is asked to answer without thinking, or after little of it. There is no common way: Qwen3 has a
 * switch in its prompt, templates have arguments, and some engines take `reasoning_effort` or a budget.
 */

/** What a service takes of the ways to limit thinking. */
export interface ThinkingQuirks {
  /** `chat_template_kwargs`: arguments of the model's template. */
  readonly takesTemplateArguments?: boolean;
  /** `reasoning_effort`: Ollama takes no other way on its OpenAI-compatible routes. */
  readonly takesReasoningEffort?: boolean;
  /** A number of tokens, under the name that llama.cpp has for it or that of vLLM. */
  readonly takesReasoningBudget?: boolean;
}

/** Qwen3, and not Qwen3.5, which has the switch only in its template. */
const HAS_PROMPT_SWITCH = /qwen-?3(?![.\d])/i;
const PROMPT_SWITCH = "/no_think";
/** It always thinks, and least with this. */
const LEAST_IS_LOW = /gpt-?oss/i;

/** The fields of a request that ask for an answer without thinking, or for little of it. */
export const thinkingFields = (
  {
    model,
    reasoning,
    reasoningBudget,
  }: Pick<ChatRequest, "model" | "reasoning" | "reasoningBudget">,
  {
    takesTemplateArguments = false,
    takesReasoningEffort = false,
    takesReasoningBudget = false,
  }: ThinkingQuirks,
) => ({
  thinking_budget_tokens: takesReasoningBudget ? reasoningBudget : undefined,
  thinking_token_budget: takesReasoningBudget ? reasoningBudget : undefined,
  chat_template_kwargs:
    reasoning === "off" && takesTemplateArguments ? { enable_thinking: false } : undefined,
  reasoning_effort:
    reasoning === "off" && takesReasoningEffort
      ? LEAST_IS_LOW.test(model.id)
        ? "low"
        : "none"
      : undefined,
});

/** The messages with the switch of the model's prompt, behind the last message of the user. */
export function withThinkingSwitch(
  messages: readonly ChatMessage[],
  { model, reasoning }: Pick<ChatRequest, "model" | "reasoning">,
): readonly ChatMessage[] {
  if (reasoning !== "off" || !HAS_PROMPT_SWITCH.test(model.id)) return messages;
  const last = messages.findLastIndex(({ role }) => role === "user");
  return messages.map((message, index) =>
    index !== last || message.content.trimEnd().endsWith(PROMPT_SWITCH)
      ? message
      : { ...message, content: `${message.content} ${PROMPT_SWITCH}` },
  );
}
