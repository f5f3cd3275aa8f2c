import * as z from "zod";
import { vectorOf } from "../engine/embedding.js";
import type { PromptMessage } from "../engine/text.js";
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
type BodyProblem = "empty" | "not JSON" | "wrong";

/** Makes the error that the dialect answers a body with that it cannot use. */
export type RefusalOf = (problem: BodyProblem, message: string) => Error;

/** The JSON of a body, checked. */
export async function readBody<S extends z.ZodType>(
  request: DialectRequest,
  schema: S,
  refusal: RefusalOf,
): Promise<z.output<S>> {
  const text = (await request.readBody())?.toString() ?? "";
  if (text === "") throw refusal("empty", "the body is empty");
  const value = parsedJson(text);
  if (value === undefined) throw refusal("not JSON", "the body is not JSON");
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw refusal("wrong", z.prettifyError(parsed.error));
  return parsed.data;
}

export async function readChatBody(request: DialectRequest, refusal: RefusalOf): Promise<ChatBody> {
  const body = await readBody(request, chatSchema, refusal);
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
function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const embedSchema = z.looseObject({
  model: z.string().default(""),
  input: z.union([z.string().transform((text) => [text]), z.array(z.string())]).default([]),
  encoding_format: z.enum(["float", "base64"]).nullish(),
});

/** A request for embeddings, as far as a simulator looks at it. */
export interface EmbedBody {
  /** Empty when it is missing. */
  readonly model: string;
  readonly input: readonly string[];
  readonly isBase64: boolean;
}

export async function readEmbedBody(
  request: DialectRequest,
  refusal: RefusalOf,
): Promise<EmbedBody> {
  const { model, input, encoding_format } = await readBody(request, embedSchema, refusal);
  return { model, input, isBase64: encoding_format === "base64" };
}

/** The answer in OpenAI's form. */
export function embedAnswer(
  { model, input }: EmbedBody,
  { tokens, isBase64 = false }: { readonly tokens: number; readonly isBase64?: boolean },
) {
  const data = input.map((text, index) => ({
    object: "embedding",
    embedding: isBase64 ? base64Of(vectorOf(text)) : vectorOf(text),
    index,
  }));
  const usage = { prompt_tokens: tokens, total_tokens: tokens };
  return { object: "list", model, data, usage };
}

const base64Of = (vector: readonly number[]): string =>
  Buffer.from(Float32Array.from(vector).buffer).toString("base64");
