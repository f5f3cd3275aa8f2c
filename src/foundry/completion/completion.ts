import type { FinishReason } from "../dialects/index.js";
import type { JsonSchema } from "../structured/index.js";
import type { ToolCall, ToolChoice, ToolDefinition } from "../tools/index.js";

/**
 * A message of a conversation, as in the OpenAI API. The result of a tool has the role `tool` and the
 * `tool_call_id` of the call that it answers.
 */
export interface CompletionMessage {
  readonly role: "system" | "user" | "assistant" | "tool";
  /** May be absent beside `tool_calls`. Images are for messages of the user. */
  readonly content?: string | readonly ContentPart[] | null | undefined;
  /** Of an answer: `Completion.toolCalls`, or what the OpenAI API has. */
  readonly tool_calls?: readonly CompletionMessageCall[] | null | undefined;
  readonly tool_call_id?: string | null | undefined;
}

/**
 * A part of a content, as in the OpenAI API or in MCP. An image is PNG, JPEG, GIF or WebP, at most 10 MB, as base64
 * or in a `data:` URL; nothing is fetched.
 */
export type ContentPart =
  | string
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image_url"; readonly image_url: string | { readonly url: string } }
  | { readonly type: "image"; readonly data: string; readonly mimeType?: string | undefined };

/** A call of a tool in a message: `name` and `arguments` at the top, or within `function`. */
export interface CompletionMessageCall {
  readonly id: string;
  readonly type?: string | undefined;
  readonly name?: string | undefined;
  /** An object, or its JSON. */
  readonly arguments?: unknown;
  readonly function?: { readonly name: string; readonly arguments?: unknown } | undefined;
}

/** What to complete, and how. Either `prompt` or `messages`; all else is optional. */
export interface CompletionRequest {
  /** A single question. */
  readonly prompt?: string | undefined;
  /** A conversation; the last message is answered. */
  readonly messages?: readonly CompletionMessage[] | undefined;
  /** Instructions that come before the rest. */
  readonly system?: string | undefined;
  /**
   * Alias, name or id, in any case. `auto`: a model that is loaded, else one that is downloaded, which can do
   * what this request needs; a warning says which and why. Default: the client's model.
   */
  readonly model?: string | undefined;
  /**
   * Models in order of preference, up to 10, after `model` if that is given. The next one is tried where one is
   * unknown, not downloaded or cannot be loaded; warnings say so. A failure while a model answers is final.
   */
  readonly models?: readonly string[] | undefined;
  /** Longest answer in tokens, 1 to 1 000 000. Default: the client's `maxTokens`, 1024. */
  readonly maxTokens?: number | undefined;
  /** 0 to 2; 0 always takes the likeliest token. Default: the model's own. */
  readonly temperature?: number | undefined;
  /** 0 to 1. Default: the model's own. */
  readonly topP?: number | undefined;
  /** The answer ends before the first of these texts, up to 16. */
  readonly stop?: readonly string[] | undefined;
  /** Makes sampling repeatable where the service supports it; 0 to 2 147 483 647. */
  readonly seed?: number | undefined;
  /**
   * The thinking in `Completion.reasoning`. The events of a stream always have it, unless the answer is cached
   * and leaves it out. Default: `include`.
   */
  readonly reasoning?: ReasoningMode | undefined;
  /**
   * Tokens that the model may think, 1 to 1 000 000; then it answers. llama.cpp and vLLM hold a model to it; a
   * warning says where the model thought for longer. Default: as many as the model wants.
   */
  readonly reasoningBudget?: number | undefined;
  /**
   * The answer is one JSON value that fits this JSON Schema (2020-12 or draft-07), of at most 32,000
   * characters. An answer that does not fit is repaired, or requested again with what is wrong, at most
   * twice; else the completion fails with `SCHEMA_MISMATCH`.
   */
  readonly schema?: JsonSchema | undefined;
  /**
   * Tools that the model may call, up to 128. The calls are in `Completion.toolCalls`; run them, and complete
   * again with the calls and their results in `messages`. With a `schema`, the answer without calls fits it.
   */
  readonly tools?: readonly ToolDefinition[] | undefined;
  /** Default: `auto`. */
  readonly toolChoice?: ToolChoice | undefined;
}

/**
 * What becomes of the thinking of a model. `include`: it is in `reasoning`. `omit`: it is left out. `off`: the
 * model is also asked not to think, where it has a switch.
 */
export type ReasoningMode = "omit" | "include" | "off";

/**
 * How a value by a schema was obtained. `constrained`: the service accepted the schema to hold the answer to
 * it. `instructed`: only the prompt had the schema.
 */
export const ANSWER_METHODS = ["constrained", "instructed"] as const;
export type AnswerMethod = (typeof ANSWER_METHODS)[number];

export const COMPLETION_STATUSES = [
  "queued",
  "loading",
  "running",
  "completed",
  "interrupted",
  "cancelled",
  "failed",
] as const;
export type CompletionStatus = (typeof COMPLETION_STATUSES)[number];

/** A completion as far as it has come. What is not known, or not yet, is `null`. */
export interface Completion {
  readonly id: string;
  readonly status: CompletionStatus;
  /**
   * The answer so far, without thinking and without a stop string. If the service sent the whole
   * answer as thinking, this is it, and a warning says so.
   */
  readonly text: string;
  /** What the model thought before it answered, where it shows that and the request includes it. */
  readonly reasoning: string | null;
  readonly finishReason: FinishReason | null;
  /**
   * Only beside "length": the context of the model, or a limit of the service, ended the answer. A larger
   * `maxTokens` would not make it longer.
   */
  readonly isLimitedByService?: boolean | undefined;
  /** Only of a completed request with a `schema`: the value, which fits it. `text` is its JSON. */
  readonly data?: unknown;
  /**
   * Only while an answer by a `schema` is generated: the JSON of the value will take the place of the text
   * so far, so an offset into it is of no use.
   */
  readonly isDraft?: boolean | undefined;
  /** The tools that the model calls, with their arguments; absent where it calls none. */
  readonly toolCalls?: readonly ToolCall[] | undefined;
  /** Beside `data`: how the value was obtained. */
  readonly method?: AnswerMethod | undefined;
  /** Exact id of the model. */
  readonly model: string | null;
  readonly usage: CompletionUsage;
  readonly timing: CompletionTiming;
  /**
   * How often the request was sent; more than 1 where a failure before the first token was retried.
   * 0 or `null`: not sent.
   */
  readonly attempts: number | null;
  /** Whether it is the stored answer of an identical request (the option `cache`). Nothing was sent then. */
  readonly cached: boolean;
  /** Only of a cached answer: how long ago it was stored, in milliseconds. */
  readonly cacheAgeMs?: number | undefined;
  /** What the caller should know about this answer, each a sentence. */
  readonly warnings: readonly string[];
  /** @internal Only of an answer over documents. */
  readonly details?: AnswerDetails | undefined;
}

/**
 * What an answer over documents adds to the result of its tool.
 * @internal
 */
export interface AnswerDetails {
  /** Members of the structured result. */
  readonly members: Readonly<Record<string, unknown>>;
  /** Each a sentence; for hosts that show only the text. */
  readonly notes: readonly string[];
}

/**
 * What the cache keeps of an answer.
 * @internal
 */
export interface StoredAnswer
  extends Pick<Completion, "text" | "reasoning" | "finishReason" | "usage" | "warnings"> {
  /** Of a value by a schema: the text is its JSON. */
  readonly method: Completion["method"];
  readonly ageMs: number;
}

export interface CompletionUsage {
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  /** `true` where the service did not count: the input is estimated from the length of the text, the output from
   * the pieces of the stream. */
  readonly estimated: boolean;
}

/**
 * The tokens of two answers together.
 * @internal
 */
export const sumOf = (one: CompletionUsage, other: CompletionUsage): CompletionUsage => ({
  inputTokens: sum(one.inputTokens, other.inputTokens),
  outputTokens: sum(one.outputTokens, other.outputTokens),
  estimated: one.estimated || other.estimated,
});

const sum = (one: number | null, other: number | null): number | null =>
  one === null && other === null ? null : (one ?? 0) + (other ?? 0);

/** Milliseconds, and tokens per second of the generation itself. */
export interface CompletionTiming {
  /** `null` while it waits in the queue. */
  readonly queuedMs: number | null;
  /** 0 where the model was loaded already; `null` before the end of a load. */
  readonly loadMs: number | null;
  /** From the request to the first token, loading not included. */
  readonly firstTokenMs: number | null;
  readonly totalMs: number;
  readonly tokensPerSecond: number | null;
}

/** An event of a running completion. */
export type CompletionEvent =
  | {
      readonly type: "status";
      readonly status: "loading" | "running";
      /** Exact id of the model. */
      readonly model: string;
    }
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  /** All text until here was thinking: the model closed a `<think>` that its template had opened. */
  | { readonly type: "text_was_reasoning" }
  /** All text until here is dropped: another answer in its place follows. With a `schema`, and where another process generates the answer. */
  | { readonly type: "text_dropped" }
  | { readonly type: "completed"; readonly completion: Completion };
