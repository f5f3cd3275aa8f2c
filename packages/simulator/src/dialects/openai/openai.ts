import { isEmbedder } from "../../engine/embedding.js";
import { promptTokens } from "../../engine/text.js";
import type { SimulatedModel } from "../../models/model.js";
import type { HttpProfile } from "../../wire/http.js";
import { decoded, json, orRefused } from "../answers.js";
import { embedAnswer, readEmbedBody } from "../bodies.js";
import type { Dialect, DialectContext, DialectRequest } from "../dialect.js";
import { chatCompletions } from "./chat.js";
import { OpenAIError } from "./errors.js";

type Handler = (context: DialectContext, request: DialectRequest) => Promise<void>;

const ROUTES: Readonly<Record<string, Handler>> = {
  "GET /v1/models": listModels,
  "POST /v1/chat/completions": chatCompletions,
  "POST /v1/embeddings": embeddings,
};

/** A plain OpenAI-compatible engine, such as vLLM or llama.cpp: every model it has is loaded. */
export function openai(context: DialectContext): Dialect {
  return {
    profile: PLAIN_HTTP,
    answer: (request) => orRefused(request.reply, answer(context, request), OpenAIError),
  };
}

async function answer(context: DialectContext, request: DialectRequest): Promise<void> {
  const { head } = request;
  await authorize(context, request);
  const path = decoded(head.target.split("?")[0] ?? "");
  const handler = ROUTES[`${head.method} ${path}`] ?? oneModel(head.method, path);
  if (handler === null) {
    await request.readBody();
    throw new OpenAIError(404, "Not Found", null, "not_found_error");
  }
  await handler(context, request);
}

async function authorize({ apiKey }: DialectContext, request: DialectRequest): Promise<void> {
  if (apiKey === null) return;
  const { headers } = request.head;
  const given = headers.find(([name]) => name.toLowerCase() === "authorization")?.[1];
  if (given === `Bearer ${apiKey}`) return;
  // What is left unread would be taken for the next request of the connection.
  await request.readBody();
  throw new OpenAIError(401, "Incorrect API key provided.", "invalid_api_key");
}

async function listModels({ engine }: DialectContext, { reply }: DialectRequest): Promise<void> {
  reply.whole(json({ object: "list", data: engine.store.all.map(modelObject) }));
}

function oneModel(method: string, path: string): Handler | null {
  const id = /^\/v1\/models\/(.+)$/.exec(path)?.[1];
  if (method !== "GET" || id === undefined) return null;
  return async ({ engine }, { reply }) => {
    const model = engine.store.all.find((known) => known.id === id);
    if (model === undefined) throw OpenAIError.modelNotFound(id);
    reply.whole(json(modelObject(model)));
  };
}

function modelObject(model: SimulatedModel) {
  return { id: model.id, object: "model", created: model.created, owned_by: model.publisher };
}

/** `POST /v1/embeddings`. */
async function embeddings({ engine }: DialectContext, request: DialectRequest): Promise<void> {
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

const SERVER = ["Server", "simulated"] as const;

/** HTTP/1.1 as an ordinary server speaks it. */
const PLAIN_HTTP: HttpProfile = {
  maxHeadBytes: 65_536,
  tooLong: "431",
  continueLine: "HTTP/1.1 100 Continue\r\n\r\n",
  lateChunkEnd: false,
  wholeHeaders: (answer, length, closes) => [
    ["Date", new Date().toUTCString()],
    SERVER,
    ...(answer.contentType === null ? [] : [["Content-Type", answer.contentType] as const]),
    ["Content-Length", String(length)],
    ["Connection", closes ? "close" : "keep-alive"],
    ...(answer.headers ?? []),
  ],
  streamHeaders: (closes) => [
    ["Date", new Date().toUTCString()],
    SERVER,
    ["Content-Type", "text/event-stream; charset=utf-8"],
    ["Cache-Control", "no-cache"],
    ["Transfer-Encoding", "chunked"],
    ["Connection", closes ? "close" : "keep-alive"],
  ],
  readsBody: (head) => head.method === "POST",
};
