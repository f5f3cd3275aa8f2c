import { describe, expect, it, onTestFinished, vi } from "vitest";
import { adaptedChat } from "../../../src/foundry/dialects/adapted-chat.js";
import { openChat } from "../../../src/foundry/dialects/chat-stream.js";
import type { ChatEvent } from "../../../src/foundry/dialects/dialect.js";
import { HttpTransport } from "../../../src/http/index.js";
import { deferred } from "../../../src/lib/index.js";
import { knownModel } from "../models/known-model.js";
import { type ChatBody, chatEngine, hello, json } from "./chat-engine.js";
import { httpService } from "./http-service.js";

const REQUEST = {
  model: knownModel("tiny-talk-generic-cpu:1"),
  messages: [{ role: "user", content: "Hi" }],
  maxTokens: 64,
} as const;

/** The events read from a service that streams this text. */
async function read(
  body: string,
  quirks = {},
  contentType = "text/event-stream",
): Promise<ChatEvent[]> {
  const { url } = await httpService((_request, response) => {
    response.writeHead(200, { "content-type": contentType });
    response.end(body);
  });
  const transport = new HttpTransport({ baseUrl: url, retry: { retries: 0 } });
  onTestFinished(() => transport.close());
  const settings = { path: "/v1/chat/completions", ...quirks };
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

  it.each(["", data("null")])(
    "treats one empty message as a whole answer, before %j",
    async (rest) => {
      const body = data({ choices: [{ message: { content: "" } }] }) + rest;
      expect(await read(body)).toEqual([{ type: "finish", reason: "stop" }]);
    },
  );

  it("parses the JSON of each event once", async () => {
    const parse = vi.spyOn(JSON, "parse");
    onTestFinished(() => parse.mockRestore());
    const events = await read(data(text("Hel"), text("lo"), "[DONE]"));
    expect(events).toHaveLength(3);
    const parsed = parse.mock.calls.map(([json]) => json);
    for (const each of [text("Hel"), text("lo")]) {
      expect(parsed.filter((json) => json === JSON.stringify(each))).toHaveLength(1);
    }
  });

  it("reads the stream of C1, with repeated text and usage in every chunk", async () => {
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

  it("reads a whole answer from a service that ignores `stream`", async () => {
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

  it("does not treat an unknown finish_reason as a stop", async () => {
    const end = { choices: [{ delta: {}, finish_reason: "something_new" }] };
    expect(await read(data(text("a"), end, "[DONE]"))).toEqual([
      { type: "text", text: "a" },
      { type: "finish", reason: null, said: "something_new" },
    ]);
  });

  it.each(["abort", "error"])(
    "treats the finish_reason %s as an interruption, after its text",
    async (finish_reason) => {
      const { url } = await httpService((_request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.end(
          data({ choices: [{ delta: { content: "so far" }, finish_reason }] }, "[DONE]"),
        );
      });
      const transport = new HttpTransport({ baseUrl: url });
      onTestFinished(() => transport.close());
      const quirks = { path: "/v1/chat/completions" };
      const stream = await openChat(transport, REQUEST, quirks, { limits: {} });
      const events: ChatEvent[] = [];
      const reading = (async () => {
        for await (const event of stream) events.push(event);
      })();
      await expect(reading).rejects.toMatchObject({
        code: "STREAM_INTERRUPTED",
        message: expect.stringContaining(finish_reason),
      });
      expect(events).toEqual([{ type: "text", text: "so far" }]);
    },
  );

  it("uses the first of two finish_reasons", async () => {
    const body = data(
      text("a"),
      { choices: [{ delta: {}, finish_reason: "tool_calls" }] },
      { choices: [{ delta: {}, finish_reason: "stop" }] },
      "[DONE]",
    );
    const finishes = (await read(body)).filter(({ type }) => type === "finish");
    expect(finishes).toEqual([{ type: "finish", reason: "tool_calls" }]);
  });

  it("treats [DONE] without finish_reason as a proper end", async () => {
    expect(await read(data(text("a"), "[DONE]"))).toEqual([
      { type: "text", text: "a" },
      { type: "finish", reason: "stop" },
    ]);
  });

  it("treats an end without finish_reason as the limit where the answer has the maximum length", async () => {
    const body = data(...Array.from({ length: 64 }, () => text("a")), "[DONE]");
    expect((await read(body)).at(-1)).toEqual({ type: "finish", reason: "length" });
  });

  it("trusts finish_reason `stop`, unless the service is known to send it at the limit (#217)", async () => {
    const stop = { choices: [{ delta: {}, finish_reason: "stop" }] };
    const body = data(...Array.from({ length: 64 }, () => text("a")), stop, "[DONE]");
    const ends = { type: "finish" } as const;
    expect((await read(body)).at(-1)).toEqual({ ...ends, reason: "stop" });
    const doubted = await read(body, { mistakesLimitForStop: true });
    expect(doubted.at(-1)).toEqual({ ...ends, reason: "length" });
  });

  it("doubts a stop by the service's token count, where text comes in large pieces", async () => {
    const chunk = {
      choices: [{ delta: { content: "all of it" }, finish_reason: "stop" }],
      usage: { prompt_tokens: 3, completion_tokens: 64 },
    };
    const events = await read(data(chunk, "[DONE]"), { mistakesLimitForStop: true });
    expect(events).toContainEqual({ type: "finish", reason: "length" });
  });

  it("treats a finish_reason without [DONE] as a proper end", async () => {
    const body = data(text("a"), { choices: [{ delta: {}, finish_reason: "stop" }] });
    expect((await read(body)).at(-1)).toEqual({ type: "finish", reason: "stop" });
  });

  it("treats [DONE] alone as an empty answer of a service that sends only tokens", async () => {
    const events = await read(data("[DONE]"), { sendsTokensAlone: true });
    expect(events).toEqual([{ type: "finish", reason: "stop" }]);
    await expect(read(data("[DONE]"))).rejects.toMatchObject({
      code: "INVALID_RESPONSE",
      message: "The service ended its stream without an answer.",
    });
  });

  it("returns the text before an interruption, and then fails", async () => {
    const { url } = await httpService((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(data(text("so far")));
    });
    const transport = new HttpTransport({ baseUrl: url });
    onTestFinished(() => transport.close());
    const quirks = { path: "/v1/chat/completions" };
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
    ["a list", { error: [{ message: "token generation failed" }] }, "INFERENCE_FAILED"],
    ["a number", { error: 7 }, "INFERENCE_FAILED"],
    ["true", { error: true }, "INFERENCE_FAILED"],
    ["an empty list", { error: [] }, "INFERENCE_FAILED"],
    ["one beside text", { ...text("b"), error: {} }, "INFERENCE_FAILED"],
    [
      "a caller's mistake",
      { error: { message: "top_k is bad", type: "invalid_request_error" } },
      "INVALID_REQUEST",
    ],
  ])("fails with the error inside a 200: %s", async (_what, chunk, code) => {
    await expect(read(data(text("a"), chunk))).rejects.toMatchObject({ code });
  });

  it("reports the message of an error in a list", async () => {
    const chunk = { error: [{ message: "token generation failed" }] };
    await expect(read(data(text("a"), chunk))).rejects.toMatchObject({
      message: "tiny-talk-generic-cpu:1 failed while generating. It said: token generation failed",
    });
  });

  it.each([
    ["a message", { message: "Welcome here." }, "Welcome here."],
    ["nothing of an answer", {}, "nothing"],
  ])("fails on a 200 that holds %s instead of an answer", async (_what, body, said) => {
    const error = {
      code: "INVALID_RESPONSE",
      message: `The service answered with something else than a completion. It said: ${said}`,
    };
    await expect(read(JSON.stringify(body), {}, "application/json")).rejects.toMatchObject(error);
    await expect(read(data(body))).rejects.toMatchObject(error);
  });

  it.each([
    ["half a JSON", '{"choices":[{"delta"', ""],
    ["a text", "Hello", " It said: Hello"],
    ["choices that are no list", '{"choices":7}', ""],
  ])("fails on %s in the stream", async (_what, garbage, said) => {
    await expect(read(data(text("a"), garbage))).rejects.toMatchObject({
      code: "INVALID_RESPONSE",
      message: `The service sent something in its stream that is not an answer.${said}`,
    });
  });

  it("ignores members of an unexpected type", async () => {
    const body = data(
      { choices: [{ delta: { content: 7 } }], usage: { prompt_tokens: "x" } },
      { choices: null },
      {},
      text("a"),
      "[DONE]",
    );
    expect(await read(body)).toEqual([
      { type: "usage", usage: null },
      { type: "text", text: "a" },
      {
        type: "warning",
        warning: 'The answer has content that is no text and is not shown: "number".',
      },
      { type: "finish", reason: "stop" },
    ]);
  });

  it.each([
    ["a fraction", { prompt_tokens: 3, completion_tokens: 1.5 }],
    ["negative", { prompt_tokens: -3, completion_tokens: 1 }],
    ["huge", { prompt_tokens: 3, completion_tokens: 1e300 }],
    ["more than a number holds exactly", { prompt_tokens: 2 ** 60, completion_tokens: 1 }],
    ["a text", { prompt_tokens: "3", completion_tokens: 1 }],
    ["missing", { prompt_tokens: 3 }],
    ["null", { prompt_tokens: 3, completion_tokens: null }],
    ["none for a prompt and its answer", { prompt_tokens: 0, completion_tokens: 0 }],
    ["no object", [3, 1]],
  ])("ignores a count that is %s, whole or in a stream", async (_what, usage) => {
    const chunk = { choices: [{ delta: { content: "a" }, finish_reason: "stop" }], usage };
    const news = { type: "usage", usage: null };
    expect(await read(data(chunk, "[DONE]"))).toContainEqual(news);
    expect(await read(JSON.stringify(chunk), {}, "application/json")).toContainEqual(news);
  });

  it.each(["constructor", "__proto__", "toString", "x".repeat(1_000_000)])(
    "treats the finish reason %.20s as unknown",
    async (finish_reason) => {
      const body = data({ choices: [{ delta: { content: "a" }, finish_reason }] }, "[DONE]");
      expect((await read(body)).at(-1)).toEqual({
        type: "finish",
        reason: null,
        said: finish_reason.slice(0, 40),
      });
    },
  );

  it.each([
    ["of another index", [{ index: -1e300, delta: { content: "a" } }]],
    ["with others after it", [{ delta: { content: "a" } }, null, 7, [], { delta: 1 }]],
    ["with members of prototypes", [JSON.parse('{"__proto__":{"x":1},"delta":{"content":"a"}}')]],
  ])("reads a choice %s", async (_what, choices) => {
    expect(await read(data({ choices }, "[DONE]"))).toContainEqual({ type: "text", text: "a" });
  });

  it.each([
    ["in tokens", "word ", 2000],
    ["in letters", "x", 2000],
    ["in large pieces", "x".repeat(10_000), 2000],
    ["in one piece", "x".repeat(20_000_000), 1],
  ])("cuts an answer far above max_tokens, %s", async (_what, piece, count) => {
    const chunk = data(text(piece));
    const events = await read(chunk.repeat(count) + data("[DONE]"));
    expect(events.at(-1)).toEqual({ type: "overrun" });
    const length = events.reduce((sum, news) => sum + ("text" in news ? news.text.length : 0), 0);
    expect(length).toBeGreaterThan(500);
    expect(length).toBeLessThan(100_000);
  });

  it("closes the connection to a service that never stops", async () => {
    let isClosed = false;
    const { url } = await httpService((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const more = () => response.write(data(text("on and ")).repeat(100));
      const timer = setInterval(more, 1);
      response.on("close", () => {
        clearInterval(timer);
        isClosed = true;
      });
    });
    const transport = new HttpTransport({ baseUrl: url, retry: { retries: 0 } });
    onTestFinished(() => transport.close());
    const stream = await openChat(transport, REQUEST, { path: "/" }, { limits: {} });
    let last: ChatEvent | null = null;
    for await (const event of stream) last = event;
    expect(last).toEqual({ type: "overrun" });
    await expect.poll(() => isClosed).toBe(true);
  });

  it("sends the given arguments and max_tokens, and nothing else", async () => {
    const bodies: unknown[] = [];
    const { url } = await httpService((_request, response, body) => {
      bodies.push(JSON.parse(body));
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(data(text("a"), "[DONE]"));
    });
    const transport = new HttpTransport({ baseUrl: url });
    onTestFinished(() => transport.close());
    for (const request of [REQUEST, { ...REQUEST, temperature: 0, topP: 0.5, seed: 7 }]) {
      const quirks = { path: "/v1/chat/completions" };
      for await (const _ of await openChat(transport, request, quirks, { limits: {} })) {
        // Only the request matters.
      }
    }
    const plain = {
      model: "tiny-talk-generic-cpu:1",
      messages: [{ role: "user", content: "Hi" }],
      max_tokens: 64,
      stream: true,
      stream_options: { include_usage: true },
    };
    expect(bodies).toEqual([plain, { ...plain, temperature: 0, top_p: 0.5, seed: 7 }]);
  });
});

describe("openChat in one piece", () => {
  it.each([
    ["nothing of an answer", {}, "INVALID_RESPONSE"],
    ["an error", { error: { message: "token generation failed" } }, "INFERENCE_FAILED"],
  ])("fails on a 200 that holds %s", async (_what, body, code) => {
    const { url } = await httpService((_request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    });
    const transport = new HttpTransport({ baseUrl: url, retry: { retries: 0 } });
    onTestFinished(() => transport.close());
    const quirks = { path: "/v1/chat/completions" };
    const inOnePiece = new Set(["stream"] as const);
    const asking = openChat(transport, REQUEST, quirks, { limits: {} }, inOnePiece);
    await expect(asking).rejects.toMatchObject({ code });
  });
});

describe("adaptedChat", () => {
  /** An engine, and a chat on it. */
  async function engineOf(answer: Parameters<typeof chatEngine>[0]) {
    const engine = await chatEngine(answer);
    const transport = new HttpTransport({ baseUrl: engine.url, retry: { retries: 0 } });
    onTestFinished(() => transport.close());
    const ask = (fields: object, call: object = {}) =>
      adaptedChat(
        transport,
        { ...REQUEST, ...fields },
        { path: "/v1/chat/completions" },
        { limits: {}, ...call },
      );
    return { ...engine, ask };
  }

  it("keeps what a parallel request of the model found, after one that began before", async () => {
    const first = deferred();
    const refusal = json({ error: "unknown field seed" }, 400);
    const { ask, chats } = await engineOf(async (body: ChatBody) => {
      if ("seed" in body) return refusal;
      if (chats.length === 1) await first.promise;
      return hello(body);
    });
    const slow = ask({});
    await expect.poll(() => chats.length).toBe(1);
    expect(await ask({ seed: 7 })).toMatchObject({ attempts: 2 });

    first.resolve();
    await slow;

    expect(await ask({ seed: 7 })).toMatchObject({ attempts: 1 });
  });

  it("keeps that the engine does not stream, after a cancelled parallel request", async () => {
    const { ask, chats } = await engineOf((body) => (body["stream"] === true ? null : hello(body)));
    const caller = new AbortController();
    const cancelled = ask({}, { signal: caller.signal });
    await expect.poll(() => chats.length).toBe(1);
    expect(await ask({}, { limits: { firstByteMs: 2000 } })).toMatchObject({ attempts: 2 });

    caller.abort();
    await expect(cancelled).rejects.toMatchObject({ code: "CANCELLED" });

    expect(await ask({}, { limits: { firstByteMs: 10_000 } })).toMatchObject({ attempts: 1 });
  });

  it("forgets only that the engine does not stream where an answer in one piece is late", async () => {
    let isLate = false;
    const { ask, chats } = await engineOf((body) => {
      if ("seed" in body) return json({ error: "unknown field seed" }, 400);
      return isLate || body["stream"] === true ? null : hello(body);
    });
    const call = { limits: { firstByteMs: 2000 } };
    await ask({}, call);
    isLate = true;
    const late = ask({}, { limits: { firstByteMs: 4000 } });
    const failure = expect(late).rejects.toMatchObject({ code: "TIMEOUT" });
    await expect.poll(() => chats.length).toBe(3);
    isLate = false;
    await ask({ seed: 7 }, call);

    await failure;

    await ask({ seed: 7 }, call);
    expect(chats.slice(5).map(({ stream, seed }) => [stream, seed])).toEqual([
      [true, undefined],
      [undefined, undefined],
    ]);
  });

  it("streams again after a late answer in one piece, also where an older one ends after it", async () => {
    const older = deferred();
    let isLate = false;
    const { ask, chats } = await engineOf(async (body: ChatBody) => {
      if (body["stream"] === true) return null;
      if (chats.length === 3) await older.promise;
      return isLate ? null : hello(body);
    });
    const call = { limits: { firstByteMs: 2000 } };
    await ask({}, call);
    const slow = ask({}, { limits: { firstByteMs: 60_000 } });
    await expect.poll(() => chats.length).toBe(3);
    isLate = true;
    await expect(ask({}, { limits: { firstByteMs: 1000 } })).rejects.toMatchObject({
      code: "TIMEOUT",
    });
    isLate = false;
    older.resolve();
    await slow;

    await ask({}, call);

    expect(chats.slice(4).map(({ stream }) => stream)).toEqual([true, undefined]);
  });
});
