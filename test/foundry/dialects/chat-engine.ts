import { z } from "zod";
import { httpService } from "./http-service.js";

const bodySchema = z.record(z.string(), z.unknown());
export type ChatBody = z.output<typeof bodySchema>;

/** The answer of an engine to a chat. */
export interface ChatAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
  /** Send the body in pieces of one byte. */
  readonly isBytewise?: boolean;
}

export interface ChatEngine {
  readonly url: string;
  /** The bodies of the chat requests, in order. */
  readonly chats: readonly ChatBody[];
  /** `METHOD path` of every request, in order. */
  readonly asked: readonly string[];
}

const JSON_TYPE = { "content-type": "application/json" };
const SSE_TYPE = { "content-type": "text/event-stream" };

export const json = (value: unknown, status = 200): ChatAnswer => ({
  status,
  headers: JSON_TYPE,
  body: JSON.stringify(value),
});

export const events = (...values: readonly unknown[]): ChatAnswer => ({
  headers: SSE_TYPE,
  body: values.map((value) => `data: ${JSON.stringify(value)}\n\n`).join(""),
});

/** A streamed or whole "Hello", as the request asks for. */
export const hello = ({ stream }: ChatBody): ChatAnswer =>
  stream === true
    ? events({ choices: [{ delta: { content: "Hello" }, finish_reason: "stop" }] })
    : json({ choices: [{ message: { content: "Hello" }, finish_reason: "stop" }] });

/** An OpenAI-compatible engine. `null` as an answer: none, ever. */
export async function chatEngine(
  answer: (body: ChatBody) => ChatAnswer | null | Promise<ChatAnswer | null>,
  models: readonly string[] = ["m", "other"],
): Promise<ChatEngine> {
  const chats: ChatBody[] = [];
  const { url, asked } = await httpService(async (request, response, text) => {
    if (request.method === "POST") {
      const body = bodySchema.parse(JSON.parse(text));
      chats.push(body);
      const given = await answer(body);
      if (given === null) return;
      response.writeHead(given.status ?? 200, given.headers ?? {});
      if (given.isBytewise === true) {
        for (const byte of Buffer.from(given.body)) response.write(Buffer.of(byte));
        response.end();
      } else {
        response.end(given.body);
      }
    } else if (request.url === "/v1/models") {
      response.writeHead(200, JSON_TYPE);
      response.end(JSON.stringify({ object: "list", data: models.map((id) => ({ id })) }));
    } else {
      response.writeHead(404, JSON_TYPE).end("{}");
    }
  });
  return { url, chats, asked };
}
