import { describe, expect, it, onTestFinished } from "vitest";
import { type ChatAnswer, chatEngine, events, json } from "../dialects/chat-engine.js";
import { httpService } from "../dialects/http-service.js";
import { clientOf } from "../fixtures.js";

const text = (content: string, more = {}) =>
  `data: ${JSON.stringify({ choices: [{ delta: { content } }], ...more })}\n\n`;
const END = 'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n';

/** An engine with one model; its stream begins with `first` and repeats `again` endlessly. */
async function engine(first: string, again: string | null) {
  const { url } = await httpService((request, response) => {
    if (request.url === "/v1/models") {
      response.end(JSON.stringify({ data: [{ id: "stub" }] }));
    } else if (request.url === "/v1/chat/completions") {
      response.writeHead(200, { "content-type": "text/event-stream" }).write(first);
      if (again === null) return response.end();
      const timer = setInterval(() => response.write(again), 5);
      response.on("close", () => clearInterval(timer));
      onTestFinished(() => clearInterval(timer));
    } else {
      response.writeHead(404).end();
    }
    return;
  });
  return url;
}

/** One engine, and its client for the next answer. */
async function changing() {
  let next = json({});
  const { url, chats } = await chatEngine(() => next);
  const client = clientOf(url, { circuit: { failures: 100 } });
  const clientFor = (answer: ChatAnswer) => {
    next = answer;
    return client;
  };
  return { clientFor, chats };
}

const DONE = { choices: [{ delta: {}, finish_reason: "stop" }] };

/** A message as one JSON, as one event, and with an event for each character, each also byte by byte. */
function waysToSend(message: {
  readonly content?: string | readonly object[];
  readonly reasoning_content?: string;
}): readonly (readonly [string, ChatAnswer])[] {
  const { content, ...others } = message;
  const characters = typeof content === "string" ? Array.from(content) : [content];
  const deltas = [
    ...(Object.keys(others).length === 0 ? [] : [others]),
    ...characters.map((each) => ({ content: each })),
  ];
  const whole = json({ choices: [{ message, finish_reason: "stop" }] });
  const streamed = events({ choices: [{ delta: message }] }, DONE);
  const pieces = events(...deltas.map((delta) => ({ choices: [{ delta }] })), DONE);
  return [
    ["whole", whole],
    ["whole, by bytes", { ...whole, isBytewise: true }],
    ["one event", streamed],
    ["one event, by bytes", { ...streamed, isBytewise: true }],
    ["an event for each character", pieces],
    ["an event for each character, by bytes", { ...pieces, isBytewise: true }],
  ];
}

describe("a completion of an engine", () => {
  it.each([
    ["text", text("on and ").repeat(50)],
    ["thinking", text(`<think>${"hm ".repeat(100)}`) + text("hm ").repeat(50)],
  ])("that never stops its %s ends above max_tokens, with the text so far", async (what, again) => {
    const client = clientOf(await engine(text("So "), again));
    const completion = await client.complete({ prompt: "Go", maxTokens: 4 });
    expect(completion).toMatchObject({ status: "completed", finishReason: "length" });
    expect(completion.warnings).toContainEqual(
      "The service did not stop at `maxTokens`, so the answer was cut off here.",
    );
    expect(completion.text.startsWith(what === "text" ? "So on and on" : "So <think>hm")).toBe(
      true,
    );
  });

  it.each([
    ["an empty delta", 'data: {"choices":[{"delta":{}}]}\n\n'],
    ["a role", 'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'],
    ["a count", 'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n'],
    ["a part of a tool call", 'data: {"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}\n\n'],
    ["a comment", ": keep-alive\n\n"],
  ])("that only sends %s after its text is interrupted, text kept", async (_what, again) => {
    const client = clientOf(await engine(text("So far"), again), { stallTimeoutMs: 1000 });
    const stream = client.streamComplete({ prompt: "Go" });
    const read = async () => {
      for await (const _ of stream);
    };
    await expect(read()).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(stream.snapshot()).toMatchObject({ status: "interrupted", text: "So far" });
  });

  it.each([
    ["nothing", ""],
    ["the same end", 'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'],
    ["a count", 'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n'],
    ["a comment", ": keep-alive\n\n"],
    ["an empty delta", 'data: {"choices":[{"delta":{}}]}\n\n'],
  ])("that only sends %s after its finish_reason is completed soon", async (_what, again) => {
    const client = clientOf(
      await engine(text("All of it") + END.replace(/data: .DONE.*/, ""), again),
    );
    const since = performance.now();
    const completion = await client.complete({ prompt: "Go", model: "stub" });
    expect(completion).toMatchObject({ status: "completed", text: "All of it", warnings: [] });
    // Far above COUNTS_AFTER_END_MS, for a loaded machine.
    expect(performance.now() - since).toBeLessThan(5000);
  });

  it.each([
    ["as an object", { reasoning_content: "It is blue." }],
    ["in tags", { content: "<think>It is blue.</think>" }],
    ["in an open tag", { content: "<think>It is blue." }],
    ["before an end", { content: "It is blue.</think>" }],
    ["in a channel", { content: "<|channel|>analysis<|message|>It is blue.<|end|>" }],
  ])("whose answer is reasoning alone, %s, returns it as the text", async (_how, message) => {
    const { clientFor } = await changing();
    for (const [way, answer] of waysToSend(message)) {
      const stream = clientFor(answer).streamComplete({ prompt: "Go", model: "m" });
      const texts: string[] = [];
      for await (const event of stream) if (event.type === "text") texts.push(event.text);
      expect(texts.at(-1), way).toBe("It is blue.");
      expect(stream.snapshot(), way).toMatchObject({
        status: "completed",
        text: "It is blue.",
        reasoning: null,
        warnings: ["The service sent the whole answer as reasoning; it is given as text."],
      });
    }
  });

  it.each([
    ["in tags", { content: "<think>\nSüß? 🤔\n</think>\n\nIt is 4! 😀" }],
    [
      "in channels",
      {
        content:
          "<|channel|>analysis<|message|>Süß? 🤔<|end|><|start|>assistant<|channel|>final<|message|>It is 4! 😀<|return|>",
      },
    ],
    ["in brackets", { content: "[THINK]Süß? 🤔[/THINK]It is 4! 😀" }],
    ["between triangles", { content: "◁think▷Süß? 🤔◁/think▷It is 4! 😀" }],
    ["before an end alone", { content: "Süß? 🤔\n</think>\n\nIt is 4! 😀" }],
    ["before a text with an end mark", { content: "<think>Süß? 🤔</think>It is 4! 😀<|im_end|>" }],
    ["in a member of its own", { reasoning_content: "Süß? 🤔", content: "It is 4! 😀" }],
    [
      "in a list of parts",
      {
        content: [
          { type: "thinking", thinking: [{ type: "text", text: "Süß? 🤔" }] },
          { type: "text", text: "It is 4! 😀" },
        ],
      },
    ],
  ])("whose thinking comes %s separates it from its text", async (_how, message) => {
    const { clientFor, chats } = await changing();
    const ways = waysToSend(message);
    for (const [way, answer] of ways) {
      const completion = await clientFor(answer).complete({ prompt: "2+2", model: "m" });
      expect(completion, way).toMatchObject({
        status: "completed",
        text: "It is 4! 😀",
        reasoning: "Süß? 🤔",
        finishReason: "stop",
        warnings: [],
      });
    }
    expect(chats).toHaveLength(ways.length);
  });

  it.each([
    ["a fraction", { prompt_tokens: 3, completion_tokens: 1.5 }],
    ["negative", { prompt_tokens: 3, completion_tokens: -1 }],
    ["none at all", { prompt_tokens: 0, completion_tokens: 0 }],
  ])("whose count is %s has an estimated count and total", async (_what, usage) => {
    const good = text("a", { usage: { prompt_tokens: 3, completion_tokens: 1 } });
    const client = clientOf(await engine(good + text("b", { usage }) + END, null));
    expect((await client.complete({ prompt: "Go" })).usage).toEqual({
      inputTokens: 1,
      outputTokens: 2,
      estimated: true,
    });
    expect((await client.healthCheck()).totals).toMatchObject({ completed: 1, outputTokens: 2 });
  });

  it.each([
    [0, 2, { inputTokens: 1, outputTokens: 2, estimated: true }],
    [0, 40, { inputTokens: 1, outputTokens: 40, estimated: true }],
    [7, 0, { inputTokens: 7, outputTokens: 1, estimated: true }],
    [7, 2, { inputTokens: 7, outputTokens: 2, estimated: false }],
    [0, 0, { inputTokens: 1, outputTokens: 1, estimated: true }],
  ])(
    "that counts %i and %i tokens keeps each count that is not zero",
    async (input, output, usage) => {
      const counts = { prompt_tokens: input, completion_tokens: output };
      const client = clientOf(await engine(text("a", { usage: counts }) + END, null));
      expect((await client.complete({ prompt: "Go" })).usage).toEqual(usage);
    },
  );

  it.each([
    ["rate limited upstream", { code: 429, message: "rate limited upstream" }, "SERVICE_BUSY"],
    ["a type", { type: "overloaded_error", message: "come back later" }, "SERVICE_BUSY"],
    ["a crash", { code: 502, message: "Upstream error" }, "SERVICE_BUSY"],
    ["words", "the worker is gone", "INFERENCE_FAILED"],
    ["a message alone", { message: "the worker is gone" }, "INFERENCE_FAILED"],
  ])(
    "whose choice has an error (%s) is interrupted and keeps its text",
    async (_what, error, code) => {
      const said = typeof error === "string" ? error : error.message;
      const message = expect.stringContaining(said);
      const { clientFor } = await changing();
      for (const finish_reason of [null, "error", "stop"]) {
        for (const name of ["delta", "message"]) {
          const choice = { [name]: { content: "par" }, finish_reason, error };
          const stream = clientFor(events({ choices: [choice] })).streamComplete({
            prompt: "Go",
            model: "m",
          });
          const read = async () => {
            for await (const _ of stream);
          };
          await expect(read()).rejects.toMatchObject({ code, message });
          expect(stream.snapshot()).toMatchObject({ status: "interrupted", text: "par" });
        }
      }
    },
  );

  it.each(["error", "abort", "cancelled", "timeout", "failed", "insufficient_system_resource"])(
    "that ends with %s is interrupted, and the error names it",
    async (finish_reason) => {
      const chunk = { choices: [{ delta: {}, finish_reason }] };
      const url = await engine(`${text("par")}data: ${JSON.stringify(chunk)}\n\n`, null);
      const stream = clientOf(url).streamComplete({ prompt: "Go" });
      const read = async () => {
        for await (const _ of stream);
      };
      await expect(read()).rejects.toMatchObject({
        code: "STREAM_INTERRUPTED",
        message: `The service broke the answer off (finish_reason ${finish_reason}).`,
      });
      expect(stream.snapshot()).toMatchObject({ status: "interrupted", text: "par" });
    },
  );

  it("whose choice has an empty error is completed", async () => {
    const chunk = { choices: [{ delta: { content: "All" }, finish_reason: "stop", error: null }] };
    const client = clientOf(await engine(`data: ${JSON.stringify(chunk)}\n\n`, null));
    expect(await client.complete({ prompt: "Go" })).toMatchObject({ status: "completed" });
  });
});

describe("a stream that ends with [DONE] without a finish_reason", () => {
  const chunk = (content: string, more: object = { finish_reason: null }) =>
    `data: ${JSON.stringify({ choices: [{ delta: { content }, ...more }] })}\n\n`;
  const DONE = "data: [DONE]\n\n";

  // llama_cpp/server/app.py of abetlen/llama-cpp-python, where another request has come.
  it("may have been cut off where its chunks say that it goes on", async () => {
    const client = clientOf(await engine(chunk("The capital is") + DONE, null), { cache: 10 });
    const ask = () => client.complete({ prompt: "Go", temperature: 0 });

    for (const answer of [await ask(), await ask()]) {
      expect(answer).toMatchObject({ text: "The capital is", finishReason: null, cached: false });
      expect(answer.warnings).toContainEqual(expect.stringContaining("may have been cut off"));
    }
  });

  it.each([
    ["has no member for it", chunk("All", {})],
    ["has an empty one, as Nexa", chunk("All", { finish_reason: "" })],
    ["ended before", chunk("All") + chunk("", { finish_reason: "stop" })],
  ])("is whole where each chunk %s", async (_what, body) => {
    const client = clientOf(await engine(body + DONE, null));

    const { finishReason, warnings } = await client.complete({ prompt: "Go", model: "stub" });

    expect({ finishReason, warnings }).toEqual({ finishReason: "stop", warnings: [] });
  });

  it("is cut off at its limit where it has so many tokens", async () => {
    const client = clientOf(await engine(chunk("a").repeat(3) + DONE, null));

    const answer = await client.complete({ prompt: "Go", maxTokens: 3 });

    expect(answer.finishReason).toBe("length");
  });
});
