import { isEmbedder, vectorOf } from "../../engine/embedding.js";
import { BETALGO, json } from "../answers.js";
import { readEmbedBody } from "../bodies.js";
import { type Call, Core1Error, modelNamed } from "./core1.js";

const PARAMETER = "(Parameter 'embeddingRequest')";

/** `POST /v1/embeddings`. A chat model kills the process. */
export async function embeddings({ core, request }: Call): Promise<void> {
  const { model: name, input } = await readEmbedBody(
    request,
    (_, message) => new Core1Error(500, `Invalid OpenAI JSON request: ${message}`),
  );
  if (input.length === 0) {
    throw refusal(
      `Request must contain at least one embedding input (Input or InputAsList must be set) ${PARAMETER}`,
    );
  }
  const blank = input.findIndex((text) => text.trim() === "");
  if (blank >= 0) {
    throw refusal(
      `Embedding input at index ${blank} is null, empty, or whitespace-only. Every input string must be non-empty. ${PARAMETER}`,
    );
  }
  const model = modelNamed(core, name);
  if (model === null || !core.context.engine.store.isLoaded(model.id)) {
    throw refusal(
      `Model '${name}' is not loaded. Please load the model before getting an EmbeddingsClient.`,
    );
  }
  if (!isEmbedder(model)) {
    request.reply.abandon();
    core.memory.die();
  }
  const data = input.map((text, index) => ({ index, embedding: vectorOf(text) }));
  request.reply.whole(json({ model: name, data, ...BETALGO, object: "list" }));
}

const refusal = (reason: string): Core1Error =>
  new Core1Error(400, `Failed to handle OpenAI embeddings: ${reason}`);
