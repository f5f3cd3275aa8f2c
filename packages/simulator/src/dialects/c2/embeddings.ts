import { isEmbedder } from "../../engine/embedding.js";
import { json } from "../answers.js";
import { embedAnswer, readEmbedBody } from "../bodies.js";
import { C2Error } from "./errors.js";
import type { Handler } from "./model-routes.js";

/** `POST /v1/embeddings`. A chat model kills the older versions. */
export const embeddings: Handler = async ({ engine, version, die }, request, family) => {
  const body = await readEmbedBody(request, (problem, message) =>
    problem === "empty"
      ? new C2Error(400, "Empty request body")
      : new C2Error(400, `Invalid JSON: ${message}`),
  );
  const { model: id, input } = body;
  if (input.length === 0) throw new C2Error(400, '"input" must not be empty');
  const model = await engine.catalogLock(family).run(() => engine.store.byId(id, family));
  if (model === null) throw new C2Error(404, `Model not found: ${id}`);
  const isLoaded = await engine.loadLock.run(() => engine.store.isLoaded(id));
  if (!isLoaded) throw new C2Error(400, `Model not loaded: ${id}`);
  if (!isEmbedder(model)) {
    if (version.embeddingsOfChatModel === "refused") {
      throw new C2Error(500, "Inference failed: Generator output 'hidden_states' was not found.");
    }
    request.reply.abandon();
    die("crash");
    return;
  }
  // The service counts no tokens, and knows neither base64 nor dimensions.
  request.reply.whole(json(embedAnswer(body, { tokens: 0 })));
};
