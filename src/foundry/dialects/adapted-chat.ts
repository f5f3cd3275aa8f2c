import type { HttpTransport } from "../../http/index.js";
import {
  type FoundryError,
  MOST_MODELS_REMEMBERED,
  RecentMap,
  toFoundryError,
} from "../../lib/index.js";
import { type Refusable, type Refused, refusalsIn, warningsOf } from "./chat-request.js";
import { type ChatQuirks, openChat } from "./chat-stream.js";
import type { Call, ChatRequest, ChatStream } from "./dialect.js";
import { SchemaOffer } from "./json-schema.js";
import { isTemplateFailure } from "./refusal-words.js";

const NOTHING: Refused = new Set();

/** How often one request is sent again in another shape. Each refusal names something new, some one field at a time. */
const MOST_CHANGES = 10;

/** What each model behind an endpoint refuses: its template may, or the engine itself. */
const refusedBy = new WeakMap<HttpTransport, Map<string, Refused>>();

/**
 * Requests a chat as the engine accepts it, and resolves with its first token. An engine that refuses
 * an optional part of the request by name is asked again without it. If a stream does not begin, not
 * even with a status, the answer is requested in one piece. What was found is remembered for the model
 * at this endpoint. A refusal of one schema is remembered for this schema alone.
 *
 * @param once Left out until the first refusal, and not remembered.
 */
export async function adaptedChat(
  transport: HttpTransport,
  request: ChatRequest,
  quirks: ChatQuirks,
  call: Call,
  once: Refused = NOTHING,
): Promise<ChatStream> {
  const { id } = request.model;
  const known = refusedBy.get(transport)?.get(id) ?? NOTHING;
  const leftOut = new Set([...known, ...once]);
  const refused = new Set(leftOut);
  const offer = request.schema && new SchemaOffer(transport, id, request.schema);
  let attempts = 0;
  let hasHung = false;
  // An engine that streams no calls of tools streams other answers. One that can make no grammar of these tools,
  // also without their bounds, may make one of others.
  const isOfTools = (name: Refusable) =>
    (name === "stream" && request.tools && !hasHung) || (name === "tools" && refused.has("bounds"));
  const foundHere = () => [...refused].filter((name) => !leftOut.has(name) && !isOfTools(name));
  for (let changes = 0; ; changes += 1) {
    const sent = { ...request, schema: offer?.schema };
    try {
      const stream = await openChat(transport, sent, quirks, call, refused);
      remember(transport, id, foundHere());
      offer?.remember();
      return {
        ...stream,
        attempts: attempts + stream.attempts,
        warnings: warningsOf(refused, leftOut, request, quirks),
      };
    } catch (thrown) {
      const error = toFoundryError(thrown);
      attempts += error.attempts;
      error.attempts = attempts;
      const isHanging =
        isSilent(error) && !refused.has("stream") && quirks.alwaysBeginsStreams !== true;
      const found = isHanging ? (["stream"] as const) : refusalsIn(error, sent, refused, quirks);
      if (found.length === 0 || changes === MOST_CHANGES) {
        // A template that fails without tools, too, is no reason to leave these out.
        const fails = isTemplateFailure(error.detail ?? "");
        // A slow model is no proof that its engine cannot stream.
        const all = [...foundHere(), ...found].filter((name) => name !== "tools" || !fails);
        if (!hasHung && !isHanging) remember(transport, id, all);
        // An answer in one piece takes longer than the limit, so the next one is streamed again.
        if (known.has("stream") && isSilent(error)) forgetStream(transport, id);
        throw error;
      }
      hasHung ||= isHanging;
      for (const name of once) if (!known.has(name)) refused.delete(name);
      for (const name of found) {
        if (name === "schema") offer?.refused(error);
        else refused.add(name);
      }
    }
  }
}

/** The service sent nothing, not even a status. */
const isSilent = ({ code, phase, status }: FoundryError): boolean =>
  code === "TIMEOUT" && phase === "first_byte" && status === null;

/** Adds what a request found to what is known now: parallel requests may have found or forgotten something. */
function remember(transport: HttpTransport, model: string, found: Iterable<Refusable>): void {
  const models = refusedBy.get(transport) ?? new RecentMap<string, Refused>(MOST_MODELS_REMEMBERED);
  const all = new Set([...(models.get(model) ?? []), ...found]);
  if (all.size > 0) refusedBy.set(transport, models.set(model, all));
}

function forgetStream(transport: HttpTransport, model: string): void {
  const models = refusedBy.get(transport);
  const others = [...(models?.get(model) ?? [])].filter((name) => name !== "stream");
  models?.set(model, new Set(others));
}
