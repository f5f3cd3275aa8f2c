import * as z from "zod";
import {
  CHARACTERS_SLACK,
  isMembers,
  MAX_CHARACTERS_PER_TOKEN,
  MAX_COMPLETION_CHARACTERS,
  MAX_PIECES_PER_TOKEN,
  MAX_TOKEN_COUNT,
  MAX_UNKNOWN_WORD,
  PIECES_SLACK,
  printable,
  truncate,
} from "../../lib/index.js";
import type { ChatEvent, FinishReason } from "./dialect.js";

/**
 * The stream of `/v1/chat/completions`. Servers differ in its flaws: text in `delta`, `message` or
 * `text`, usage in one chunk or in every one, a missing finish_reason, errors inside a 200, an end
 * without `[DONE]` (docs/foundry-local.md, section 4).
 */

const textSchema = z.string().nullish().catch(null);
const isEmptyError = (error: unknown): boolean =>
  error === false || error === 0 || (typeof error === "string" && error.trim() === "");
/** Some engines send an empty one with every chunk. */
const errorSchema = z
  .unknown()
  .transform((error) => (isEmptyError(error) ? null : error))
  .optional();
const choiceSchema = z.object({
  delta: z.unknown().optional(),
  message: z.unknown().optional(),
  /** The older API of plain completions. */
  text: textSchema,
  finish_reason: textSchema,
  error: errorSchema,
});
const countSchema = z.int().min(0).max(MAX_TOKEN_COUNT);
const usageSchema = z
  .object({ prompt_tokens: countSchema, completion_tokens: countSchema })
  .transform((own) => ({ inputTokens: own.prompt_tokens, outputTokens: own.completion_tokens }))
  // mlx-vlm, and proxies of other APIs.
  .or(
    z
      .object({ input_tokens: countSchema, output_tokens: countSchema })
      .transform((own) => ({ inputTokens: own.input_tokens, outputTokens: own.output_tokens })),
  )
  // Fractions, negative numbers and strings are no token counts.
  .catch({ inputTokens: 0, outputTokens: 0 });
export const chunkSchema = z.object({
  // The request asks for one choice. Others are ignored.
  choices: z
    .array(z.unknown())
    .transform(([first = null]) => first)
    .pipe(choiceSchema.nullable())
    .nullish(),
  usage: usageSchema.nullish(),
  /** Which model answers, in the words of the engine. Not checked here, since each event has it. */
  model: z.unknown().optional(),
  error: errorSchema,
  object: z.unknown().optional(),
  // The members of an error that is the event itself.
  message: z.unknown().optional(),
  detail: z.unknown().optional(),
  code: z.unknown().optional(),
  type: z.unknown().optional(),
  errors: z.unknown().optional(),
  success: z.unknown().optional(),
});
export type Chunk = z.output<typeof chunkSchema>;
export type Choice = z.output<typeof choiceSchema>;

/**
 * A bound on the length of an answer. `max_tokens` is always sent, so a service that exceeds it by
 * far does not stop by itself.
 */
export class Allowance {
  /** The number of text, reasoning and call events so far. */
  pieces = 0;
  isUsedUp = false;
  readonly #maxPieces: number;
  #charactersLeft: number;

  constructor(maxTokens: number) {
    this.#maxPieces = maxTokens * MAX_PIECES_PER_TOKEN + PIECES_SLACK;
    this.#charactersLeft = Math.min(
      maxTokens * MAX_CHARACTERS_PER_TOKEN + CHARACTERS_SLACK,
      MAX_COMPLETION_CHARACTERS,
    );
  }

  /** The event, truncated to the allowance. `overrun` follows when it is used up, and ends the answer. */
  *limit(event: ChatEvent): Generator<ChatEvent> {
    if (event.type !== "text" && event.type !== "reasoning" && event.type !== "call") {
      yield event;
      return;
    }
    const text = event.type === "call" ? event.piece.arguments : event.text;
    const length = typeof text === "string" ? text.length : 0;
    this.pieces += 1;
    this.isUsedUp = this.pieces > this.#maxPieces || length > this.#charactersLeft;
    if (event.type !== "call") {
      const allowed = truncate(event.text, this.#charactersLeft);
      if (allowed !== "") yield { ...event, text: allowed };
    } else if (!this.isUsedUp) yield event;
    this.#charactersLeft -= length;
    if (this.isUsedUp) yield { type: "overrun" };
  }
}

/** The words of engines for the end of an answer, in lower case. */
const REASON_WORDS: Readonly<Record<FinishReason, readonly string[]>> = {
  stop: [
    "stop",
    "stopped",
    "stop_sequence",
    "stop_token",
    "stop_str",
    "stopstringfound",
    "eos",
    "eos_token",
    "eos_token_id",
    "eosfound",
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
    "contextlengthreached",
    "maxpredictedtokensreached",
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
  tool_calls: [
    "tool_calls",
    "toolcalls",
    "tool_call",
    "tool_use",
    "function_call",
    "function_calls",
  ],
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

const REASONS = ["stop", "length", "tool_calls", "content_filter"] as const;

/** Words with which an engine aborts an answer. */
const ABORTS = new Set([
  "abort",
  "aborted",
  "cancelled",
  "canceled",
  "error",
  "failed",
  "insufficient_system_resource",
  "modelunloaded",
  "timeout",
  "user_cancel",
  "userstopped",
]);

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
  return REASONS.find((reason) => REASON_WORDS[reason].includes(word)) ?? "unknown";
}

/** One piece of an answer. `other`: a kind that is no text, such as an image. */
export type AnswerPart =
  | { readonly type: "text" | "reasoning" | "refusal"; readonly text: string }
  | { readonly type: "calls"; readonly kind: string; readonly value: unknown }
  | { readonly type: "other"; readonly kind: string };

type Members = Readonly<Record<string, unknown>>;

/** The members in which engines put their thinking. Some send the same in several of them. */
const REASONING = [
  "reasoning_content",
  "reasoning",
  "thinking",
  "reasoning_details",
  "thinking_blocks",
] as const;

/** Members of a message besides its text that nothing here can show. */
const OTHERS = ["audio", "images"] as const;
export const CALLS = ["tool_calls", "function_call"] as const;

/** The parts of a `delta` or `message`; `null` where the value is none. */
export function partsOfMessage(message: unknown): AnswerPart[] | null {
  if (!isMembers(message)) return null;
  const reasoning = firstWords(message, REASONING);
  const content = partsOf(message["content"]);
  const refusal = wordsOf(message["refusal"]);
  return [
    // Its content may repeat it.
    ...(reasoning === "" ? [] : [{ type: "reasoning" as const, text: reasoning }]),
    ...(reasoning === "" ? content : content.filter(({ type }) => type !== "reasoning")),
    ...(refusal === "" ? [] : [{ type: "refusal" as const, text: refusal }]),
    ...CALLS.filter((kind) => isFilled(message[kind])).map((kind) => ({
      type: "calls" as const,
      kind,
      value: message[kind],
    })),
    ...OTHERS.filter((name) => isFilled(message[name])).map((kind) => other(kind)),
  ];
}

/** The parts of a `content`: a string, a list of parts, or one part. */
function partsOf(content: unknown): AnswerPart[] {
  if (content === null || content === undefined || content === "") return [];
  if (typeof content === "string") return [{ type: "text", text: content }];
  if (Array.isArray(content)) return content.flatMap(partsOf);
  return isMembers(content) ? partOf(content) : [other(typeof content)];
}

const THOUGHT = /^(?:thinking|thought|reasoning|summary_text)/i;
const TEXT = /^(?:(?:output_)?text|refusal)?$/i;

function partOf(members: Members): AnswerPart[] {
  const { type } = members;
  const kind = typeof type === "string" ? type : "";
  const isThought = THOUGHT.test(kind) || (kind === "" && isFilled(members["thinking"]));
  const isKnown = isThought || TEXT.test(kind);
  // Of an unknown kind, other members may hold data that is no text.
  const text = wordsOf(isKnown ? members : members["text"]);
  if (text === "") return isKnown && kind !== "" ? [] : [other(kind || "unknown")];
  if (isThought) return [{ type: "reasoning", text }];
  return [{ type: /^refusal$/i.test(kind) ? "refusal" : "text", text }];
}

const other = (kind: string): AnswerPart => ({
  type: "other",
  kind: printable(kind, MAX_UNKNOWN_WORD),
});

const TEXT_MEMBERS = [
  "text",
  "thinking",
  "reasoning",
  "summary",
  "refusal",
  "content",
  "value",
] as const;

/** The words in a value: a string, an object that holds one, or a list of them. */
function wordsOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(wordsOf).join("");
  return isMembers(value) ? firstWords(value, TEXT_MEMBERS) : "";
}

function firstWords(members: Members, names: readonly string[]): string {
  for (const name of names) {
    const words = wordsOf(members[name]);
    if (words !== "") return words;
  }
  return "";
}

/** Engines in Go, such as Nexa, write an object of empty members for one that is absent. */
export const isFilled = (value: unknown): boolean => {
  if (Array.isArray(value)) return value.length > 0;
  if (!isMembers(value)) return Boolean(value);
  return Object.values(value).some((each) => isMembers(each) || isFilled(each));
};
