import type { FinishReason } from "./dialect.js";

/** The words of engines for the end of an answer, in lower case. */
const WORDS: Readonly<Record<FinishReason, readonly string[]>> = {
  stop: [
    "stop",
    "stopped",
    "stop_sequence",
    "stop_token",
    "stop_str",
    "eos",
    "eos_token",
    "eos_token_id",
    "eot",
    "end",
    "end_of_text",
    "end_of_turn",
    "end_turn",
    "complete",
    "completed",
    "done",
    "finished",
    "word",
  ],
  length: [
    "length",
    "length_limit",
    "limit",
    "max_length",
    "max_tokens",
    "max_new_tokens",
    "max_output_tokens",
    "model_length",
    "model_context_window_exceeded",
    "token_limit",
    "error_limit",
  ],
  tool_calls: ["tool_calls", "tool_call", "tool_use", "function_call", "function_calls"],
  content_filter: [
    "content_filter",
    "content_filtered",
    "content_filter_error",
    "guardrail_intervened",
    "safety",
    "recitation",
    "blocklist",
    "prohibited_content",
    "spii",
    "refusal",
    "sensitive",
    "error_toxic",
  ],
};

const REASONS: ReadonlyMap<string, FinishReason> = new Map(
  (["stop", "length", "tool_calls", "content_filter"] as const).flatMap((reason) =>
    WORDS[reason].map((word) => [word, reason] as const),
  ),
);

/** Words with which an engine aborts an answer. */
const ABORTS = new Set(["abort", "aborted", "cancelled", "canceled", "error", "user_cancel"]);

/** Engines that write it into every chunk. */
const NONE = new Set(["", "null", "none"]);

const normal = (word: string): string =>
  word
    .trim()
    .toLowerCase()
    .replace(/[ -]/g, "_")
    .replace(/^finish_reason_/, "");

/** What a `finish_reason` means; `null`: the answer goes on. */
export function meaningOf(said: string): FinishReason | "aborted" | "unknown" | null {
  // The longest known word is far shorter.
  const word = normal(said.slice(0, 100));
  if (NONE.has(word)) return null;
  if (ABORTS.has(word)) return "aborted";
  return REASONS.get(word) ?? "unknown";
}
