import { z } from "zod";
import { MAX_UNKNOWN_WORD, printable } from "../../lib/index.js";

/** One piece of an answer. `other`: a kind that is no text, such as an image. */
export type AnswerPart =
  | { readonly type: "text" | "reasoning" | "refusal"; readonly text: string }
  | { readonly type: "other"; readonly kind: string };

const objectSchema = z.record(z.string(), z.unknown());
type Members = z.output<typeof objectSchema>;

/** The members in which engines put their thinking. Some send the same in several of them. */
const REASONING = [
  "reasoning_content",
  "reasoning",
  "thinking",
  "reasoning_details",
  "thinking_blocks",
] as const;

/** Members of a message besides its text that nothing here can show. */
const OTHERS = ["tool_calls", "function_call", "audio", "images"] as const;

/** The parts of a `delta` or `message`; `null` where the value is none. */
export function partsOfMessage(message: unknown): AnswerPart[] | null {
  const members = objectSchema.safeParse(message).data;
  if (members === undefined) return null;
  const reasoning = firstWords(members, REASONING);
  const content = partsOf(members["content"]);
  const refusal = wordsOf(members["refusal"]);
  return [
    // Its content may repeat it.
    ...(reasoning === "" ? [] : [{ type: "reasoning" as const, text: reasoning }]),
    ...(reasoning === "" ? content : content.filter(({ type }) => type !== "reasoning")),
    ...(refusal === "" ? [] : [{ type: "refusal" as const, text: refusal }]),
    ...OTHERS.filter((name) => isFilled(members[name])).map((kind) => other(kind)),
  ];
}

/** The parts of a `content`: a string, a list of parts, or one part. */
function partsOf(content: unknown): AnswerPart[] {
  if (content === null || content === undefined || content === "") return [];
  if (typeof content === "string") return [{ type: "text", text: content }];
  if (Array.isArray(content)) return content.flatMap(partsOf);
  const members = objectSchema.safeParse(content).data;
  return members === undefined ? [other(typeof content)] : partOf(members);
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

const WORDS = ["text", "thinking", "reasoning", "summary", "refusal", "content", "value"] as const;

/** The words in a value: a string, an object that holds one, or a list of them. */
function wordsOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(wordsOf).join("");
  const members = objectSchema.safeParse(value).data;
  return members === undefined ? "" : firstWords(members, WORDS);
}

function firstWords(members: Members, names: readonly string[]): string {
  for (const name of names) {
    const words = wordsOf(members[name]);
    if (words !== "") return words;
  }
  return "";
}

const isFilled = (value: unknown): boolean => {
  if (typeof value === "string" || Array.isArray(value)) return value.length > 0;
  return typeof value === "object" && value !== null;
};
