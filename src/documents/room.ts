import { type CompletionRequest, IMAGE_TOKENS, likelyTokens } from "../foundry/index.js";
import { FoundryError, isMembers } from "../lib/index.js";
import { type DocumentPart, imagesIn } from "./document.js";

/** Of a model whose context is not known: the smallest among those that people use. */
export const ASSUMED_CONTEXT = 4096;
/** Of the library's client. */
const DEFAULT_ANSWER = 1024;
/** The template of a chat, and the words around the parts. */
const TEMPLATE_TOKENS = 160;
/** The element around a part. */
const FRAME_TOKENS = 32;
const LEAST_ROOM = 64;

/** Tokens that are left for the answer: a fourth of the context at most. */
export const answerTokens = (context: number, maxTokens = DEFAULT_ANSWER): number =>
  Math.max(1, Math.min(maxTokens, Math.floor(context / 4)));

/** The tokens of a request, as they are estimated. */
export function requestTokens({
  prompt,
  messages,
  system,
  schema,
  tools,
}: CompletionRequest): number {
  let images = 0;
  const withoutImages = (_key: string, value: unknown): unknown => {
    const type = isMembers(value) ? value["type"] : undefined;
    if (type !== "image" && type !== "image_url") return value;
    images += 1;
    return undefined;
  };
  const words = [messages, schema, tools].map((each) => JSON.stringify(each, withoutImages) ?? "");
  const text = [prompt ?? "", system ?? "", ...words].join(" ");
  return TEMPLATE_TOKENS + likelyTokens(text) + images * IMAGE_TOKENS;
}

/**
 * Tokens that a context has for parts beside a request and its answer.
 *
 * @throws FoundryError `CONTEXT_LENGTH_EXCEEDED` where there is no room for any.
 */
export function roomFor(request: CompletionRequest, context: number): number {
  const own = Math.ceil(requestTokens(request));
  const room = context - answerTokens(context, request.maxTokens) - own;
  if (room >= LEAST_ROOM) return room;
  throw new FoundryError(
    "CONTEXT_LENGTH_EXCEEDED",
    `The request without the text of its files${imagesIn(request.messages) > 0 ? ", but with its images," : ""} has about ${own} tokens, which leaves no room for that text in a context of ${context} tokens.`,
    {
      action: "Shorten the request, give fewer images, or use a model with a longer context.",
    },
  );
}

export const partTokens = ({ text }: Pick<DocumentPart, "text">): number =>
  FRAME_TOKENS + likelyTokens(text);

/** The largest part for so much room. */
export const mostTokensIn = (room: number): number => Math.max(1, room - FRAME_TOKENS);

/** Neighbours together as far as they fit. What fits alone nowhere is alone. */
export function packed<T extends Pick<DocumentPart, "text">>(
  parts: readonly T[],
  room: number,
): T[][] {
  const groups: T[][] = [];
  let left = 0;
  for (const part of parts) {
    const tokens = partTokens(part);
    const group = groups.at(-1);
    if (group === undefined || tokens > left) {
      groups.push([part]);
      left = room - tokens;
    } else {
      group.push(part);
      left -= tokens;
    }
  }
  return groups;
}
