import type { ServerResponse } from "node:http";
import { describe, expect, it, onTestFinished } from "vitest";
import { core1Dialect } from "../../../src/foundry/dialects/core1.js";
import type { ChatEvent } from "../../../src/foundry/dialects/dialect.js";
import { HttpTransport } from "../../../src/http/index.js";
import { knownModel } from "../models/known-model.js";
import { httpService } from "./http-service.js";

/** Answers of core 1.x reported by users and other clients, beyond the recordings. */

const ID = "qwen2.5-coder-7b-instruct-generic-cpu:4";
const CALL = { limits: { wholeMs: 5000 } };

async function core1(
  routes: Readonly<Record<string, (response: ServerResponse, body: string) => void>>,
) {
  const { url } = await httpService((request, response, body) => {
    const route = routes[request.url ?? ""];
    if (route === undefined) response.writeHead(404).end();
    else route(response, body);
  });
  const transport = new HttpTransport({ baseUrl: url, retry: { retries: 0 } });
  onTestFinished(() => transport.close());
  return core1Dialect(transport);
}

const json =
  (value: unknown, status = 200) =>
  (response: ServerResponse) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));

const text = (body: string, status: number) => (response: ServerResponse) =>
  response.writeHead(status).end(body);

const streamed = (body: string) => (response: ServerResponse) =>
  response.writeHead(200, { "content-type": "text/event-stream" }).end(body);

const chunk = (content: string, finish: object = {}): string => {
  const said = { role: "assistant", content, tool_calls: [] };
  return JSON.stringify({
    model: ID,
    choices: [{ delta: said, message: said, index: 0, ...finish }],
    created: 1762612476,
    CreatedAt: "2026-06-08T14:34:36+00:00",
    id: "chat.id.1",
    IsDelta: false,
    Successful: true,
    HttpStatusCode: 0,
    object: "chat.completion.chunk",
  });
};

async function chat(answer: (response: ServerResponse, body: string) => void) {
  const dialect = await core1({
    "/models/loaded": json([ID]),
    "/v1/chat/completions": answer,
  });
  const messages = [{ role: "user" as const, content: "Hi" }];
  const request = { model: knownModel(ID), messages, maxTokens: 64 };
  const events: ChatEvent[] = [];
  for await (const event of await dialect.chat(request, CALL)) events.push(event);
  return events;
}

const WITH_SCHEMA = {
  model: knownModel(ID),
  messages: [{ role: "user" as const, content: "Hi" }],
  maxTokens: 64,
  schema: { type: "object" },
};

describe("reported answers of core 1.x are understood:", () => {
  it("a list of models with nothing but names and aliases (#876)", async () => {
    const entry = {
      id: "qwen2.5-coder-7b-instruct-generic-cpu",
      owned_by: "Microsoft",
      created: 1763113088,
      parent: "qwen2.5-coder-7b",
      object: "model",
    };
    const list = {
      object: "list",
      data: [entry],
      IsDelta: false,
      Successful: true,
      HttpStatusCode: 0,
    };
    const dialect = await core1({ "/v1/models": json(list) });
    const { models } = await dialect.listModels(CALL);
    expect(models).toMatchObject([
      { id: entry.id, alias: "qwen2.5-coder-7b", downloaded: true, contextLength: null },
    ]);
  });

  it.each([
    ["a stream that says why it ended", chunk(".", { finish_reason: "stop" }), "\n\n"],
    ["one that does not", chunk("."), "\n\n"],
    ["one with the other ends of lines, and comments", chunk("."), "\r\n\r\n: keep-alive\r\n\r\n"],
  ])("%s", async (_what, last, end) => {
    const body = [chunk("Hel"), chunk("lo"), last, "[DONE]"]
      .map((data) => `data: ${data}${end}`)
      .join("");
    expect(await chat(streamed(body))).toEqual([
      { type: "text", text: "Hel" },
      { type: "text", text: "lo" },
      { type: "text", text: "." },
      { type: "finish", reason: "stop" },
    ]);
  });

  it("an answer in one piece, with all its members", async () => {
    const said = { role: "assistant", content: "Hello.", tool_calls: [] };
    const events = await chat(
      json({
        model: ID,
        choices: [{ index: 0, delta: said, message: said, finish_reason: "stop" }],
        created: 1,
        CreatedAt: "2026-06-08T14:34:36+00:00",
        id: "chat.id.1",
        IsDelta: false,
        Successful: true,
        HttpStatusCode: 0,
        object: "chat.completion",
        usage: { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 },
      }),
    );
    expect(events).toEqual([
      { type: "text", text: "Hello." },
      { type: "usage", usage: { inputTokens: 9, outputTokens: 2 } },
      { type: "finish", reason: "stop" },
    ]);
  });

  it.each([
    ["text", '<tool_call>\n{"name":"f","arguments":{"a":1}}\n</tool_call>', []],
    // `arguments` may be an object instead of a text (#874).
    ["apart", "", [{ id: "1", type: "function", function: { name: "f", arguments: { a: 1 } } }]],
  ])("a call of a tool as %s", async (_how, content, tool_calls) => {
    const warning = 'The answer has content that is no text and is not shown: "tool_calls".';
    const said = { role: "assistant", content, tool_calls };
    const choices = [{ index: 0, delta: said, message: said, finish_reason: "tool_calls" }];
    const events = await chat(streamed(`data: ${JSON.stringify({ choices })}\n\ndata: [DONE]\n\n`));
    expect(events).toEqual([
      ...(content === "" ? [] : [{ type: "text", text: content }]),
      { type: "finish", reason: "tool_calls" },
      ...(content !== "" ? [] : [{ type: "warning", warning }]),
    ]);
  });

  const failed = (message: string) => ({ error: { message, type: "server_error", code: null } });

  it.each([
    ["the native engine fails", "Non-zero status code returned", "INFERENCE_FAILED"],
    [
      "the context is too small (#969)",
      "This request requires 11244 total tokens (9196 input + 2048 output), which exceeds the model's maximum context length of 8192 tokens.",
      "CONTEXT_LENGTH_EXCEEDED",
    ],
    ["the model is not loaded", "Model x is not loaded.", "MODEL_NOT_LOADED"],
  ])("an error when %s, before a stream and in it", async (_what, words, code) => {
    const message = `Failed to handle OpenAI completion: ${words}`;
    for (const status of [400, 500]) {
      await expect(chat(json(failed(message), status))).rejects.toMatchObject({
        code: code === "INFERENCE_FAILED" && status === 400 ? "INVALID_REQUEST" : code,
      });
    }
    const event = `data: ${JSON.stringify(failed(words))}\n\n`;
    await expect(chat(streamed(event))).rejects.toMatchObject({ code });
    const later = chat(streamed(`data: ${chunk("so far")}\n\n${event}`));
    await expect(later).rejects.toMatchObject({ code });
  });

  it.each([
    ["nothing", text("", 500)],
    ["a text", text("Failed to load", 500)],
    ["an envelope", json(failed("Failed to load"), 500)],
  ])("a load that fails with %s", async (_what, answer) => {
    const dialect = await core1({
      "/models/loaded": json([]),
      [`/models/load/${encodeURIComponent(ID)}`]: answer,
    });
    await expect(dialect.load(knownModel(ID), ID, CALL)).rejects.toMatchObject({
      code: "LOAD_FAILED",
    });
  });

  it.each([
    ["is sent once more without the schema", undefined, 3],
    ["is not sent again where its schema was not sent", [{ function: { name: "f" } }], 2],
  ])("a failure of a model without a stream %s", async (_what, tools, attempts) => {
    const streams: boolean[] = [];
    const dialect = await core1({
      "/models/loaded": json([ID]),
      "/v1/chat/completions": (response, body) => {
        const isStream = body.includes('"stream":true');
        streams.push(isStream);
        if (!isStream) json(failed("Non-zero status code returned"), 500)(response);
        else streamed("")(response);
      },
    });
    await expect(dialect.chat({ ...WITH_SCHEMA, tools }, CALL)).rejects.toMatchObject({
      code: "INFERENCE_FAILED",
      detail: expect.stringContaining("Non-zero status code"),
      attempts,
    });
    expect(streams).toEqual([true, false, true].slice(0, attempts));
  });

  it("a service that dies of the request without the schema is no failure of the model", async () => {
    let chats = 0;
    const dialect = await core1({
      "/models/loaded": (response) => {
        if (chats < 3) json([ID])(response);
        else response.destroy();
      },
      "/v1/chat/completions": (response, body) => {
        chats += 1;
        if (!body.includes('"stream":true')) json(failed("Non-zero status code"), 500)(response);
        else if (chats === 1) streamed("")(response);
        else {
          response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
          response.destroy();
        }
      },
    });
    await expect(dialect.chat(WITH_SCHEMA, CALL)).rejects.toMatchObject({
      code: "STREAM_INTERRUPTED",
      attempts: 3,
    });
  });
});
