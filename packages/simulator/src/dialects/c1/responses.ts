import { json } from "../answers.js";
import { ResponseEvents, readResponseBody } from "../responses.js";
import { type Call, Core1Error } from "./core1.js";
import { Turn } from "./turn.js";

/** `POST /v1/responses`. A model that fails is a failed response with status 200. */
export async function createResponse({ core, request }: Call): Promise<void> {
  const body = await readResponseBody(
    request,
    (_, message) => new Core1Error(400, `Invalid request: ${message}`),
  );
  const { reply, record } = request;
  const events = new ResponseEvents(body.model, (event) => reply.event(event));
  const chat = { ...body, includeUsage: false, ttl: null };
  if (!body.stream) {
    const turn = await Turn.begin(core, chat, request);
    let text = "";
    for await (const token of turn.tokens) text += token;
    reply.whole(json(events.whole(text, turn, false)));
    return;
  }
  reply.start();
  try {
    const turn = await Turn.begin(core, chat, request);
    events.begin();
    for await (const token of turn.tokens) {
      events.text(token);
      if (!request.clientGone()) record.tokensSent = record.tokensGenerated;
    }
    events.end(turn, false);
  } catch (error) {
    if (!(error instanceof Core1Error)) throw error;
    events.fail(error.message);
  }
  reply.end();
}
