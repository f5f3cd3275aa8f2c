import * as z from "zod";
import type { PromptMessage } from "../engine/tokens.js";
import type { DialectRequest } from "./dialect.js";

const content = z
  .union([z.string(), z.array(z.looseObject({ text: z.string().optional() }))])
  .nullish()
  .transform((value) =>
    typeof value === "string" ? value : (value ?? []).map((part) => part.text ?? "").join(""),
  );

const chatSchema = z.looseObject({
  model: z.string().default(""),
  messages: z.array(z.looseObject({ role: z.string(), content })).default([]),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
  max_tokens: z.number().int().nullish(),
  max_completion_tokens: z.number().int().nullish(),
  temperature: z.number().nullish(),
  top_p: z.number().nullish(),
  tools: z
    .array(z.looseObject({ function: z.looseObject({ name: z.string() }) }))
    .nullish()
    .transform((tools) => (tools ?? []).map((tool) => tool.function.name)),
  /** S only: seconds without use until the model is unloaded. */
  ttl: z.number().nullish(),
});

/** A chat request, as far as a simulator looks at it. Other members are ignored. */
export interface ChatBody {
  /** Empty when it is missing. */
  readonly model: string;
  readonly messages: readonly PromptMessage[];
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly maxTokens: number | null;
  /** The names of the declared tools. */
  readonly tools: readonly string[];
  readonly ttl: number | null;
}

/** What is wrong with a body: `wrong` is JSON whose members have other types. */
export type BodyProblem = "empty" | "not JSON" | "wrong";

/** @param refusal makes the error that the dialect answers a body with that it cannot use. */
export async function readChatBody(
  request: DialectRequest,
  refusal: (problem: BodyProblem, message: string) => Error,
): Promise<ChatBody> {
  const text = (await request.readBody())?.toString() ?? "";
  if (text === "") throw refusal("empty", "the body is empty");
  const value = parsedJson(text);
  if (value === undefined) throw refusal("not JSON", "the body is not JSON");
  const parsed = chatSchema.safeParse(value);
  if (!parsed.success) throw refusal("wrong", z.prettifyError(parsed.error));
  const body = parsed.data;
  return {
    model: body.model,
    messages: body.messages,
    stream: body.stream ?? false,
    includeUsage: body.stream_options?.include_usage ?? false,
    maxTokens: body.max_completion_tokens ?? body.max_tokens ?? null,
    tools: body.tools,
    ttl: body.ttl ?? null,
  };
}

/** `undefined` when it is not JSON. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
