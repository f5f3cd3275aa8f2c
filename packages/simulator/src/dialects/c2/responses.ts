import { EngineFailure } from "../../engine/generation.js";
import { Run } from "../../engine/output.js";
import { overflowText, promptTokens } from "../../engine/text.js";
import { json } from "../answers.js";
import { ResponseEvents, readResponseBody } from "../responses.js";
import { C2Error, LateError } from "./errors.js";
import { type Handler, loadedModel } from "./model-routes.js";

const DEFAULT_MAX_TOKENS = 2048;

/** `POST /v1/responses`. */
export const createResponse: Handler = async (context, request, family) => {
  const body = await readResponseBody(request, (problem, message) =>
    problem === "empty"
      ? new C2Error(400, "Empty request body")
      : new C2Error(400, problem === "wrong" ? `Invalid input: ${message}` : "Invalid JSON"),
  );
  const { engine, version } = context;
  const model = await loadedModel(context, body.model, family);
  if (body.images.some((image) => !image.startsWith("data:"))) {
    // Thrown outside of the handler: the text of the framework.
    request.reply.whole({
      status: 500,
      body: "server=oatpp/1.3.0\ncode=500\ndescription=Internal Server Error\nmessage=image_url must be a data: URL or a local file path; remote http(s) URLs are not supported\n",
      contentType: null,
      close: true,
    });
    return;
  }
  const answer = await engine.answerTo(model, body);
  const inputTokens = promptTokens(model, body.messages);
  const maxTokens = body.maxTokens ?? DEFAULT_MAX_TOKENS;
  const { reply, record } = request;
  const events = new ResponseEvents(body.model, (event) => reply.event(event));
  if (body.stream) reply.start();
  try {
    if (inputTokens + maxTokens > model.contextLength) {
      throw new LateError(overflowText(inputTokens, maxTokens, model), true);
    }
    const gone = () => version.cancelOnDisconnect && request.clientGone();
    const tokens = engine.run(model, answer, maxTokens, record, gone);
    const run = new Run(model, answer, inputTokens, maxTokens, tokens);
    if (body.stream) events.begin();
    let text = "";
    for await (const pieces of run.pieces()) {
      for (const piece of pieces) {
        if (piece.kind === "reasoning" && body.stream) events.reasoning(piece.text);
        const shown = piece.kind === "reasoning" ? "" : piece.text;
        text += shown;
        if (shown !== "" && body.stream) events.text(shown);
      }
      if (!request.clientGone()) record.tokensSent = record.tokensGenerated;
    }
    // Core 2.0 never says that an answer was cut.
    const cut = version.localCatalogFamily && run.finish === "length";
    const usage = { inputTokens, outputTokens: run.outputTokens };
    if (body.stream) events.end(usage, cut);
    else reply.whole(json(events.whole(text, usage, cut)));
  } catch (error) {
    if (!(error instanceof LateError || error instanceof EngineFailure)) throw error;
    if (!body.stream) throw new C2Error(500, `Inference failed: ${error.message}`);
    events.fail(error.message);
  }
  if (body.stream) reply.end();
};
