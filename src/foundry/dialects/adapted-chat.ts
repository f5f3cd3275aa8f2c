import type { HttpTransport } from "../../http/index.js";
import { MOST_MODELS_REMEMBERED, toFoundryError } from "../../lib/index.js";
import { type Refusable, type Refused, refusalsIn, warningsOf } from "./chat-request.js";
import { type ChatQuirks, openChat, wholeChat } from "./chat-stream.js";
import type { Call, ChatRequest, ChatStream } from "./dialect.js";

/** How often one request is sent again in another shape. */
const MOST_CHANGES = 3;

const NOTHING: Refused = new Set();

/** What each model behind an endpoint refuses: its template may, or the engine itself. */
const refusedBy = new WeakMap<HttpTransport, Map<string, Refused>>();

/**
 * Requests a chat as the engine accepts it, and resolves with its first token. An engine that refuses
 * an optional part of the request by name is asked again without it. If a stream does not begin, not
 * even with a status, the answer is requested in one piece. What was found is remembered for the model
 * at this endpoint.
 */
export async function adaptedChat(
  transport: HttpTransport,
  request: ChatRequest,
  quirks: ChatQuirks,
  call: Call,
): Promise<ChatStream> {
  const { id } = request.model;
  const known = refusedBy.get(transport)?.get(id) ?? NOTHING;
  const refused = new Set(known);
  let attempts = 0;
  let hasHung = false;
  for (let changes = 0; ; changes += 1) {
    const open = refused.has("stream") ? wholeChat : openChat;
    try {
      const stream = await open(transport, request, quirks, call, refused);
      remember(transport, id, refused);
      const isNew = (name: Refusable) => refused.has(name) && !known.has(name);
      return {
        attempts: attempts + stream.attempts,
        warnings: warningsOf(refused, isNew, request),
        [Symbol.asyncIterator]: () => stream[Symbol.asyncIterator](),
      };
    } catch (thrown) {
      const error = toFoundryError(thrown);
      attempts += error.attempts;
      error.attempts = attempts;
      const isHanging =
        error.code === "TIMEOUT" &&
        error.phase === "first_byte" &&
        error.status === null &&
        !refused.has("stream") &&
        quirks.alwaysBeginsStreams !== true;
      const found = isHanging ? (["stream"] as const) : refusalsIn(error, request, refused);
      if (found.length === 0 || changes === MOST_CHANGES) {
        // A slow model is no proof that its engine cannot stream.
        if (!hasHung && found.length === 0) remember(transport, id, refused);
        throw error;
      }
      hasHung ||= isHanging;
      for (const name of found) refused.add(name);
    }
  }
}

function remember(transport: HttpTransport, model: string, refused: Refused): void {
  if (refused.size === 0) return;
  const models = refusedBy.get(transport) ?? new Map<string, Refused>();
  refusedBy.set(transport, models);
  models.delete(model);
  models.set(model, refused);
  const [oldest] = models.keys();
  if (models.size > MOST_MODELS_REMEMBERED && oldest !== undefined) models.delete(oldest);
}
