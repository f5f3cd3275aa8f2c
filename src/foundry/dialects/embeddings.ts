import * as z from "zod";
import type { ErrorWords, HttpAnswer, HttpTransport } from "../../http/index.js";
import { FoundryError, MAX_EMBEDDINGS_BYTES, type SecretMask } from "../../lib/index.js";
import type { KnownModel } from "../models/index.js";
import { jsonOf, parseAnswer } from "./answers.js";
import type { Call, Embeddings, EmbedRequest, RequestPath } from "./dialect.js";
import { about, errorOfFailure, errorOfStreamEvent, hiddenWords } from "./failures.js";

/** Requests embeddings as the OpenAI API has them. The vectors are in the order of the inputs. */
export async function requestEmbeddings(
  transport: HttpTransport,
  { model, inputs }: EmbedRequest,
  requestPath: RequestPath,
  call: Call,
): Promise<Embeddings> {
  const subject = about("embed", model);
  const answer = await transport.request({
    method: "POST",
    ...requestPath,
    ...call,
    // Without an `encoding_format`: floats are the default, and proxies refuse it for some engines.
    body: { model: model.id, input: inputs },
    maxBodyBytes: MAX_EMBEDDINGS_BYTES,
    toError: (failure) => forTexts(errorOfFailure(failure, subject), model),
  });
  const said = errorIn(answer, transport.secrets);
  if (said !== null) throw forTexts(errorOfStreamEvent(said, subject), model);
  const { data, usage } = parseAnswer(answer, embeddingsSchema, requestPath.path, "embeddings");
  const vectors = [...data].sort((a, b) => a.index - b.index).map(({ embedding }) => embedding);
  const width = vectors[0]?.length ?? 0;
  if (vectors.length !== inputs.length || vectors.some(({ length }) => length !== width)) {
    throw notForEach(model, inputs.length, vectors.length);
  }
  // Foundry Local counts no tokens, and says 0.
  return { vectors, inputTokens: usage?.prompt_tokens || null };
}

const errorSchema = z.looseObject({
  data: z.null().optional(),
  error: z.unknown().optional(),
});

/** The words of an error that some engines answer with 200, also as the body itself; `null` where it is none. */
function errorIn(answer: HttpAnswer, secrets: SecretMask): ErrorWords | null {
  const body = errorSchema.safeParse(jsonOf(answer)).data;
  if (body === undefined) return null;
  const words = hiddenWords(body.error ?? body, secrets);
  return body.error == null && words.text === "" ? null : words;
}

/** The error in words about texts: there is no prompt, and no answer to be shorter. */
function forTexts(error: FoundryError, { id }: KnownModel): FoundryError {
  if (error.code !== "CONTEXT_LENGTH_EXCEEDED") return error;
  return error.reworded({
    message: `A text is too long for the context of ${id}.`,
    action: "Split the long texts into shorter ones, or use a model with a longer context.",
  });
}

function notForEach(model: KnownModel, asked: number, came: number): FoundryError {
  return new FoundryError(
    "INVALID_RESPONSE",
    `The service gave ${came} embeddings of ${model.id} for ${asked} texts, or some of another length.`,
    { action: "Try again with fewer texts; restart the service if it stays so." },
  );
}

/** Some engines send base64 of little-endian floats of 32 bits whatever was asked for. */
const base64Vector = z.string().transform((text, context) => {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length === 0 || bytes.length % 4 !== 0) {
    context.addIssue({ code: "custom", message: "no vector" });
    return z.NEVER;
  }
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(4 * index));
});

const vector = z
  .union([z.array(z.number()), base64Vector])
  // Finite in 32 bits, in which engines compute and vectors are kept: their products are finite, too.
  .refine(
    (values) => values.length > 0 && values.every((value) => Number.isFinite(Math.fround(value))),
  );

/** An entry without an index stands where it came. */
const embeddingsSchema = z.looseObject({
  data: z
    .array(z.looseObject({ index: z.int().min(0).optional(), embedding: vector }))
    .transform((entries) =>
      entries.map(({ index, embedding }, at) => ({ index: index ?? at, embedding })),
    ),
  usage: z
    .looseObject({ prompt_tokens: z.int().min(0) })
    .nullish()
    .catch(null),
});
