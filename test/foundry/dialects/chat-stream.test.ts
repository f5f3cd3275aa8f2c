import { describe, expect, it, onTestFinished } from "vitest";
import { openChat } from "../../../src/foundry/dialects/chat-stream.js";
import type { ChatEvent } from "../../../src/foundry/dialects/dialect.js";
import { HttpTransport } from "../../../src/http/index.js";
import { knownModel } from "../models/known-model.js";
import { httpService } from "./http-service.js";

const REQUEST = {
  model: knownModel("tiny-talk-generic-cpu:1"),
  messages: [{ role: "user", content: "Hi" }],
  maxTokens: 64,
} as const;

/** What is read from a service that streams this text. */
async function read(body: string, quirks = {}): Promise<ChatEvent[]> {
  const { url } = await httpService((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(body);
  });
  const transport = new HttpTransport({ baseUrl: url, retry: { retries: 0 } });
  onTestFinished(() => transport.close());
  const settings = { path: "/v1/chat/completions", stopStrings: 4, ...quirks };
  const stream = await openChat(transport, REQUEST, settings, { limits: {} });
  const events: ChatEvent[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

const data = (...chunks: readonly (object | string)[]): string =>
  chunks
    .map((chunk) => `data: ${typeof chunk === "string" ? chunk : JSON.stringify(chunk)}\n\n`)
    .join("");

const text = (content: string) => ({ choices: [{ delta: { content }, finish_reason: null }] });

describe("openChat", () => {
  it("reads the stream of C2", async () => {
    const body = data(
      { choices: [{ delta: { role: "assistant", content: "" }, finish_reason: null, index: 0 }] },
      text("Hel"),
      text("lo"),
      { choices: [{ delta: {}, finish_reason: "stop" }] },
      { choices: [], usage: { prompt_tokens: 15, completion_tokens: 2, total_tokens: 17 } },
      "[DONE]",
    );
    expect(await read(body)).toEqual([
      { type: "text", text: "Hel" },
      { type: "text", text: "lo" },
      { type: "finish", reason: "stop" },
      { type: "usage", usage: { inputTokens: 15, outputTokens: 2 } },
    ]);
  });

  it("reads the stream of C1: everything twice, usage in every chunk", async () => {
    const chunk = (content: string, completion_tokens: number, finish = {}) => ({
      model: "x:1",
      choices: [
        {
          delta: { role: "assistant", content, tool_calls: [] },
          message: { role: "assistant", content, tool_calls: [] },
          index: 0,
          ...finish,
        },
      ],
      usage: { prompt_tokens: 18, completion_tokens, total_tokens: 18 + completion_tokens },
      IsDelta: false,
      Successful: true,
      HttpStatusCode: 0,
    });
    const body = data(
      chunk("Hi", 1),
      chunk("", 2, { finish_reason: "stop" }),
      { choices: [], usage: { prompt_tokens: 18, completion_tokens: 2, total_tokens: 20 } },
      "[DONE]",
    );
    expect(await read(body)).toEqual([
      { type: "text", text: "Hi" },
      { type: "usage", usage: { inputTokens: 18, outputTokens: 1 } },
      { type: "usage", usage: { inputTokens: 18, outputTokens: 2 } },
      { type: "finish", reason: "stop" },
      { type: "usage", usage: { inputTokens: 18, outputTokens: 2 } },
    ]);
  });

  it.each(["reasoning_content", "reasoning"])("reads thinking from %s", async (member) => {
    const body = data({ choices: [{ delta: { [member]: "Hm." } }] }, text("4"), "[DONE]");
    expect(await read(body)).toEqual([
      { type: "reasoning", text: "Hm." },
      { type: "text", text: "4" },
      { type: "finish", reason: "stop" },
    ]);
  });

  it("reads a whole answer in place of a stream, as a service gives that ignores `stream`", async () => {
    const body = data(
      {
        choices: [{ message: { content: "Hello" }, finish_reason: "length" }],
        usage: { prompt_tokens: 1, completion_tokens: 1 },
      },
      "[DONE]",
    );
    expect(await read(body)).toEqual([
      { type: "text", text: "Hello" },
      { type: "usage", usage: { inputTokens: 1, outputTokens: 1 } },
      { type: "finish", reason: "length" },
    ]);
  });

  it.each([
    ["stop", "stop"],
    ["length", "length"],
    ["tool_calls", "tool_calls"],
    ["function_call", "tool_calls"],
    ["content_filter", "content_filter"],
    ["something_new", "stop"],
  ])("reads the finish_reason %s as %s", async (reason, read_) => {
    const body = data(text("a"), { choices: [{ delta: {}, finish_reason: reason }] }, "[DONE]");
    expect((await read(body)).at(-1)).toEqual({ type: "finish", reason: read_ });
  });

  it("takes the first finish_reason when two come", async () => {
    const body = data(
      text("a"),
      { choices: [{ delta: {}, finish_reason: "tool_calls" }] },
      { choices: [{ delta: {}, finish_reason: "stop" }] },
      "[DONE]",
    );
    const finishes = (await read(body)).filter(({ type }) => type === "finish");
    expect(finishes).toEqual([{ type: "finish", reason: "tool_calls" }]);
  });

  it("takes [DONE] without finish_reason for a proper end", async () => {
    expect(await read(data(text("a"), "[DONE]"))).toEqual([
      { type: "text", text: "a" },
      { type: "finish", reason: "stop" },
    ]);
  });

  it("takes a finish_reason without [DONE] for a proper end", async () => {
    const body = data(text("a"), { choices: [{ delta: {}, finish_reason: "stop" }] });
    expect((await read(body)).at(-1)).toEqual({ type: "finish", reason: "stop" });
  });

  it("takes a stream that says [DONE] at once for an empty answer", async () => {
    expect(await read(data("[DONE]"))).toEqual([{ type: "finish", reason: "stop" }]);
  });

  it("gives the text before a break, and then fails", async () => {
    const { url } = await httpService((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(data(text("so far")));
    });
    const transport = new HttpTransport({ baseUrl: url });
    onTestFinished(() => transport.close());
    const quirks = { path: "/v1/chat/completions", stopStrings: 4 };
    const stream = await openChat(transport, REQUEST, quirks, { limits: {} });
    const events: ChatEvent[] = [];
    const reading = (async () => {
      for await (const event of stream) events.push(event);
    })();
    await expect(reading).rejects.toMatchObject({ code: "STREAM_INTERRUPTED" });
    expect(events).toEqual([{ type: "text", text: "so far" }]);
  });

  it.each([
    ["a body without events", ""],
    ["only comments", ": keep-alive\n\n: keep-alive\n\n"],
    ["an end right after the first, empty chunk", data(text(""))],
  ])("fails on %s", async (_what, body) => {
    await expect(read(body)).rejects.toMatchObject({
      code: expect.stringMatching(/^(STREAM_INTERRUPTED|INVALID_RESPONSE)$/),
    });
  });

  it.each([
    [
      "an envelope",
      { error: { message: "token generation failed", type: "server_error" } },
      "INFERENCE_FAILED",
    ],
    ["a bare text", { error: "token generation failed" }, "INFERENCE_FAILED"],
    ["an envelope without a message", { error: { code: 7 } }, "INFERENCE_FAILED"],
    [
      "a caller's mistake",
      { error: { message: "top_k is bad", type: "invalid_request_error" } },
      "INVALID_REQUEST",
    ],
  ])("fails with the error inside a 200: %s", async (_what, chunk, code) => {
    await expect(read(data(text("a"), chunk))).rejects.toMatchObject({ code });
  });

  it.each([
    ["half a JSON", '{"choices":[{"delta"'],
    ["a text", "Hello"],
    ["choices that are no list", '{"choices":7}'],
  ])("fails on %s in the stream", async (_what, garbage) => {
    await expect(read(data(text("a"), garbage))).rejects.toMatchObject({
      code: "INVALID_RESPONSE",
      message: "The service sent something in its stream that is no answer.",
    });
  });

  it("passes over members of a kind it does not expect", async () => {
    const body = data(
      { choices: [{ delta: { content: 7 } }], usage: { prompt_tokens: "x" } },
      { choices: null },
      {},
      text("a"),
      "[DONE]",
    );
    expect(await read(body)).toEqual([
      { type: "text", text: "a" },
      { type: "finish", reason: "stop" },
    ]);
  });

  it("sends what was asked for, max_tokens always, and nothing that was not", async () => {
    const bodies: unknown[] = [];
    const { url } = await httpService((_request, response, body) => {
      bodies.push(JSON.parse(body));
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(data(text("a"), "[DONE]"));
    });
    const transport = new HttpTransport({ baseUrl: url });
    onTestFinished(() => transport.close());
    const stop = ["a", "b", "c", "d", "e"];
    const full = { ...REQUEST, temperature: 0, topP: 0.5, seed: 7, stop };
    for (const [request, stopStrings] of [
      [REQUEST, 4],
      [full, 4],
      [full, 0],
    ] as const) {
      const quirks = { path: "/v1/chat/completions", stopStrings };
      for await (const _ of await openChat(transport, request, quirks, { limits: {} })) {
        // Only what was sent matters.
      }
    }
    const plain = {
      model: "tiny-talk-generic-cpu:1",
      messages: [{ role: "user", content: "Hi" }],
      max_tokens: 64,
      stream: true,
      stream_options: { include_usage: true },
    };
    const settings = { ...plain, temperature: 0, top_p: 0.5, seed: 7 };
    expect(bodies).toEqual([plain, { ...settings, stop: ["a", "b", "c", "d"] }, settings]);
  });
});
