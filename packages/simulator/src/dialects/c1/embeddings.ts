import { embeddingOf } from "../../engine/embedding.js";
import type { Call } from "./core1.js";
import { json } from "./errors.js";
import { loadedModel, refusal } from "./lookup.js";
import { BETALGO } from "./model-routes.js";
import { type Fields, notConverted, readRequest } from "./request-fields.js";

const TYPE = "Betalgo.Ranul.OpenAI.ObjectModels.RequestModels.EmbeddingCreateRequest";

/** `POST /v1/embeddings`. A chat model is the end of the process. */
export async function embeddings({ core, request, body }: Call): Promise<void> {
  const asked = readRequest(request.head, body, TYPE, (fields, bytes) => ({
    model: fields.text("model"),
    input: readInput(fields, bytes),
  }));
  const model = loadedModel(core, asked.model, "embeddings");
  if (asked.input.length === 0) {
    throw refused(
      "Request must contain at least one embedding input (Input or InputAsList must be set)",
    );
  }
  const blank = asked.input.findIndex((text) => text.trim() === "");
  if (blank >= 0) {
    throw refused(
      `Embedding input at index ${blank} is null, empty, or whitespace-only. Every input string must be non-empty.`,
    );
  }
  if (!/embedding/.test(model.task)) core.memory.die();
  const data = asked.input.map((text, index) => ({
    index,
    embedding: embeddingOf(text, model.embeddingSize),
  }));
  request.reply.whole(json({ model: asked.model, data, ...BETALGO, object: "list" }));
}

const refused = (reason: string) =>
  refusal("embeddings", `${reason} (Parameter 'embeddingRequest')`);

function readInput(fields: Fields, bytes: Buffer): string[] {
  const node = fields.node("input");
  if (node === undefined) return [];
  const items = node.kind === "array" ? node.items : [node];
  return items.map((item) => {
    if (item.kind === "string" && item.text !== null) return item.text;
    // It is put together only when the whole request has been read.
    throw notConverted(bytes, TYPE, "$", bytes.length);
  });
}
