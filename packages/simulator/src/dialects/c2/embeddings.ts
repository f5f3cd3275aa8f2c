import { embeddingOf } from "../../engine/embedding.js";
import type { Family } from "../../models/store.js";
import type { DialectContext, DialectRequest } from "../dialect.js";
import { C2Error, json } from "./errors.js";
import { Float } from "./json.js";
import { jsonBody } from "./lookup.js";
import { JsonError } from "./nlohmann.js";
import { asString, at } from "./shape.js";

/** `POST /v1/embeddings`. */
export async function embeddings(
  context: DialectContext,
  request: DialectRequest,
  family: Family,
): Promise<void> {
  const { engine, switches } = context;
  const { model: name, input } = readRequest((await jsonBody(request)).value);
  if (input.length === 0) throw new C2Error(400, '"input" must not be empty');
  const model = await engine.catalogLock(family).run(() => engine.store.byId(name, family));
  if (model === null) {
    throw new C2Error(404, name === "" ? "Model not found" : `Model not found: ${name}`);
  }
  if (!(await engine.loadLock.run(() => engine.store.isLoaded(name)))) {
    throw new C2Error(400, `Model not loaded: ${name}`);
  }
  if (!/embedding/.test(model.task)) {
    if (switches.embeddingsOfChatModel === "refused") {
      throw new C2Error(500, "Inference failed: Generator output 'hidden_states' was not found.");
    }
    context.die("crash");
    return;
  }
  const data = input.map((text, index) => ({
    embedding: embeddingOf(text, model.embeddingSize).map((value) => new Float(value)),
    index,
    object: "embedding",
  }));
  request.reply.whole(
    json({ data, model: name, object: "list", usage: { prompt_tokens: 0, total_tokens: 0 } }),
  );
}

function readRequest(body: unknown): { model: string; input: string[] } {
  try {
    const model = asString(at(body, "model"));
    const input = at(body, "input");
    if (typeof input === "string") return { model, input: [input] };
    if (Array.isArray(input)) return { model, input: input.map(asString) };
    throw new JsonError(
      '[json.exception.type_error.302] "input" must be a string or array of strings',
    );
  } catch (error) {
    if (error instanceof JsonError) throw new C2Error(400, `Invalid JSON: ${error.message}`);
    throw error;
  }
}
