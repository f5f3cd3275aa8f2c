import * as z from "zod";
import type { PromptMessage } from "../engine/text.js";
import { hexId, seconds } from "./answers.js";
import { type ChatBody, type RefusalOf, readBody } from "./bodies.js";
import type { DialectRequest } from "./dialect.js";

/** `POST /v1/responses`, as far as core 1.x and 2.x are alike. Only text comes back: nothing here sees an image. */

const partSchema = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  image_url: z.string().optional(),
});
const itemSchema = z.looseObject({
  role: z.string(),
  content: z.union([z.string(), z.array(partSchema)]),
});
const bodySchema = z.looseObject({
  model: z.string().default(""),
  input: z.union([z.string(), z.array(itemSchema)]),
  stream: z.boolean().nullish(),
  max_output_tokens: z.number().int().nullish(),
});

export interface ResponseBody extends Omit<ChatBody, "ttl" | "includeUsage"> {
  /** The addresses of its images. */
  readonly images: readonly string[];
}

export async function readResponseBody(
  request: DialectRequest,
  refusal: RefusalOf,
): Promise<ResponseBody> {
  const fields = await readBody(request, bodySchema, refusal);
  const { model, input, stream, max_output_tokens } = fields;
  const items = typeof input === "string" ? [{ role: "user", content: input }] : input;
  const parts = items.flatMap(({ content }) => (typeof content === "string" ? [] : content));
  return {
    model,
    messages: items.map(
      ({ role, content }): PromptMessage => ({
        role,
        content:
          typeof content === "string" ? content : content.map((part) => part.text ?? "").join(""),
      }),
    ),
    images: parts.flatMap(({ type, image_url }) =>
      type === "input_image" ? [image_url ?? ""] : [],
    ),
    stream: stream ?? false,
    maxTokens: max_output_tokens ?? null,
    tools: [],
  };
}

export interface ResponseUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** The events of one streamed response, in their order. */
export class ResponseEvents {
  readonly #id = hexId("resp_", 8);
  readonly #item = hexId("msg_", 8);
  readonly #created = seconds();
  readonly #model: string;
  readonly #send: (event: string) => void;
  #number = 0;
  #text = "";

  constructor(model: string, send: (event: string) => void) {
    this.#model = model;
    this.#send = send;
  }

  begin(): void {
    this.#event("response.created", { response: this.#response("in_progress") });
    this.#event("response.in_progress", { response: this.#response("in_progress") });
    const item = {
      content: [],
      id: this.#item,
      role: "assistant",
      status: "in_progress",
      type: "message",
    };
    this.#event("response.output_item.added", { item, output_index: 0 });
    this.#part("added", "");
  }

  text(delta: string): void {
    this.#text += delta;
    this.#event("response.output_text.delta", { ...this.#place, delta });
  }

  reasoning(delta: string): void {
    this.#event("response.reasoning.delta", { ...this.#place, delta });
  }

  /** @param cut The answer was cut off at its limit, and this version says so. */
  end(usage: ResponseUsage, cut: boolean): void {
    this.#event("response.output_text.done", { ...this.#place, text: this.#text });
    this.#part("done", this.#text);
    this.#event("response.output_item.done", { item: this.#message, output_index: 0 });
    const status = cut ? "incomplete" : "completed";
    this.#event(`response.${status}`, { response: this.#response(status, usage) });
    this.#send("data: [DONE]\n\n");
  }

  fail(message: string): void {
    const response = { ...this.#response("failed"), error: { code: "server_error", message } };
    this.#event("response.failed", { response });
    this.#send("data: [DONE]\n\n");
  }

  /** The whole response, for a request without a stream. */
  whole(text: string, usage: ResponseUsage, cut: boolean): object {
    this.#text = text;
    return this.#response(cut ? "incomplete" : "completed", usage);
  }

  get #place() {
    return { content_index: 0, item_id: this.#item, output_index: 0 };
  }

  get #message() {
    const content = [{ text: this.#text, type: "output_text" }];
    return { content, id: this.#item, role: "assistant", status: "completed", type: "message" };
  }

  #part(what: "added" | "done", text: string): void {
    this.#event(`response.content_part.${what}`, {
      ...this.#place,
      part: { text, type: "output_text" },
    });
  }

  #response(status: string, usage?: ResponseUsage): object {
    const hasEnded = status === "completed" || status === "incomplete";
    return {
      created_at: this.#created,
      completed_at: status === "completed" ? this.#created : null,
      error: null,
      id: this.#id,
      incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
      model: this.#model,
      object: "response",
      output: hasEnded ? [this.#message] : [],
      output_text: hasEnded ? this.#text : "",
      status,
      store: false,
      usage: {
        input_tokens: usage?.inputTokens ?? 0,
        output_tokens: usage?.outputTokens ?? 0,
        total_tokens: (usage?.inputTokens ?? 0) + (usage?.outputTokens ?? 0),
      },
    };
  }

  #event(type: string, members: object): void {
    const data = JSON.stringify({ ...members, sequence_number: this.#number, type });
    this.#number += 1;
    this.#send(`event: ${type}\ndata: ${data}\n\n`);
  }
}
