import { isEmbedder } from "../../engine/embedding.js";
import { promptTokens } from "../../engine/text.js";
import { json } from "../answers.js";
import { embedAnswer, readEmbedBody } from "../bodies.js";
import type { DialectContext, DialectRequest } from "../dialect.js";
import { OpenAIError } from "./errors.js";

/** `POST /v1/embeddings`. */
export async function embeddings(
  { engine }: DialectContext,
  request: DialectRequest,
): Promise<void> {
  const body = await readEmbedBody(request, (_, message) => new OpenAIError(400, message));
  const model = engine.store.all.find(({ id }) => id === body.model);
  if (model === undefined) throw OpenAIError.modelNotFound(body.model);
  if (!isEmbedder(model)) {
    const message = "The model does not support Embeddings API";
    throw new OpenAIError(400, message, null, "BadRequestError");
  }
  const tokens = promptTokens(
    model,
    body.input.map((content) => ({ role: "user", content })),
  );
  request.reply.whole(json(embedAnswer(body, { tokens, isBase64: body.isBase64 })));
}
