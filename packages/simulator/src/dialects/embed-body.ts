import * as z from "zod";
import { vectorOf } from "../engine/embedding.js";
import { type BodyProblem, parsedJson } from "./chat-body.js";
import type { DialectRequest } from "./dialect.js";

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

/** @param refusal makes the error that the dialect answers a body with that it cannot use. */
export async function readEmbedBody(
  request: DialectRequest,
  refusal: (problem: BodyProblem, message: string) => Error,
): Promise<EmbedBody> {
  const text = (await request.readBody())?.toString() ?? "";
  if (text === "") throw refusal("empty", "the body is empty");
  const value = parsedJson(text);
  if (value === undefined) throw refusal("not JSON", "the body is not JSON");
  const parsed = embedSchema.safeParse(value);
  if (!parsed.success) throw refusal("wrong", z.prettifyError(parsed.error));
  const { model, input, encoding_format } = parsed.data;
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
