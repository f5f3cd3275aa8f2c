import { ScriptedError } from "../../engine/script.js";
import type { SimulatedModel } from "../../models/model.js";
import type { WholeAnswer } from "../../wire/profile.js";
import type { Dialect, DialectContext, DialectRequest } from "../dialect.js";
import { chatCompletions } from "./chat.js";
import { embeddings } from "./embeddings.js";
import { OpenAIError } from "./errors.js";
import { PLAIN_HTTP } from "./transport.js";

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
    answer: async (request) => {
      const { head, reply } = request;
      try {
        await authorize(context, request);
        const path = decodeURIComponent(head.target.split("?")[0] ?? "");
        const handler = ROUTES[`${head.method} ${path}`] ?? oneModel(head.method, path);
        if (handler === null) {
          await request.readBody();
          throw new OpenAIError(404, "Not Found", "not_found_error", null);
        }
        await handler(context, request);
      } catch (error) {
        if (error instanceof OpenAIError) reply.whole(error.answer());
        else if (error instanceof ScriptedError) reply.whole(OpenAIError.scripted(error).answer());
        else throw error;
      }
    },
  };
}

async function authorize({ apiKey }: DialectContext, request: DialectRequest): Promise<void> {
  if (apiKey === null) return;
  const { headers } = request.head;
  const given = headers.find(([name]) => name.toLowerCase() === "authorization")?.[1];
  if (given === `Bearer ${apiKey}`) return;
  // What is left unread would be taken for the next request of the connection.
  await request.readBody();
  throw new OpenAIError(
    401,
    "Incorrect API key provided.",
    "invalid_request_error",
    "invalid_api_key",
  );
}

async function listModels({ engine }: DialectContext, { reply }: DialectRequest): Promise<void> {
  reply.whole(ok({ object: "list", data: engine.store.all.map(modelObject) }));
}

function oneModel(method: string, path: string): Handler | null {
  const id = /^\/v1\/models\/(.+)$/.exec(path)?.[1];
  if (method !== "GET" || id === undefined) return null;
  return async ({ engine }, { reply }) => {
    const model = engine.store.all.find((known) => known.id === id);
    if (model === undefined) throw OpenAIError.modelNotFound(id);
    reply.whole(ok(modelObject(model)));
  };
}

function modelObject(model: SimulatedModel) {
  return { id: model.id, object: "model", created: model.created, owned_by: model.publisher };
}

function ok(value: unknown): WholeAnswer {
  return { status: 200, body: JSON.stringify(value), contentType: "application/json" };
}
