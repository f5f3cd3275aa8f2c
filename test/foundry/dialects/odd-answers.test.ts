import { describe, expect, it, onTestFinished } from "vitest";
import { openChat } from "../../../src/foundry/dialects/chat-stream.js";
import type { ChatEvent } from "../../../src/foundry/dialects/dialect.js";
import { HttpTransport } from "../../../src/http/index.js";
import { clientOf } from "../fixtures.js";
import { knownModel } from "../models/known-model.js";
import { chatEngine, events } from "./chat-engine.js";
import { httpService } from "./http-service.js";

const REQUEST = {
  model: knownModel("m"),
  messages: [{ role: "user", content: "Hi" }],
  maxTokens: 64,
} as const;
const QUIRKS = { path: "/v1/chat/completions" };

interface Answer {
  readonly text: string;
  readonly reasoning: string;
  readonly warnings: readonly string[];
  readonly finish: string | null;
}

/** A body in pieces of one byte. */
const bytesOf = (body: string): readonly Uint8Array[] =>
  Array.from(Buffer.from(body), (byte) => Uint8Array.of(byte));

/** Reads the answer of a service, in one chunk or in these chunks, with or without streaming. */
async function read(
  body: string | readonly Uint8Array[],
  how: "streamed" | "whole" = "streamed",
  contentType = "text/event-stream",
): Promise<Answer> {
  const { url } = await httpService((_request, response) => {
    response.writeHead(200, { "content-type": contentType });
    const pieces = typeof body === "string" ? [body] : body;
    const send = (at: number): void => {
      if (at === pieces.length) response.end();
      else response.write(pieces[at], () => setImmediate(send, at + 1));
    };
    send(0);
  });
  const transport = new HttpTransport({ baseUrl: url, retry: { retries: 0 } });
  onTestFinished(() => transport.close());
  const refused = new Set(how === "whole" ? (["stream"] as const) : []);
  return gathered(await openChat(transport, REQUEST, QUIRKS, { limits: {} }, refused));
}

async function gathered(events: AsyncIterable<ChatEvent>): Promise<Answer> {
  const answer = {
    text: "",
    reasoning: "",
    warnings: [] as string[],
    finish: null as string | null,
  };
  for await (const event of events) {
    if (event.type === "text" || event.type === "reasoning") answer[event.type] += event.text;
    else if (event.type === "warning") answer.warnings.push(event.warning);
    else if (event.type === "finish") answer.finish = event.reason;
  }
  return answer;
}

const data = (...chunks: readonly unknown[]): string =>
  chunks
    .map((chunk) => `data: ${typeof chunk === "string" ? chunk : JSON.stringify(chunk)}\n\n`)
    .join("");
const text = (content: string, finish_reason: string | null = null) => ({
  choices: [{ delta: { content }, finish_reason }],
});
const STOP = { choices: [{ delta: {}, finish_reason: "stop" }] };
const HELLO = { text: "Hello", reasoning: "", warnings: [], finish: "stop" };

const noText = (kinds: string) => [
  `The answer has content that is no text and is not shown: ${kinds}.`,
];

interface MessageCase {
  readonly what: string;
  readonly message: object;
  readonly text?: string;
  readonly reasoning?: string;
  readonly warnings?: readonly string[];
}

const MESSAGES: readonly MessageCase[] = [
  { what: "a string", message: { content: "Hello" }, text: "Hello" },
  {
    // The structures of openai-go, as in runner/server/handler/chat.go of NexaAI/nexa-sdk.
    what: "a string beside empty members",
    message: {
      content: "Hello",
      refusal: "",
      function_call: { name: "", arguments: "" },
      tool_calls: null,
      audio: { id: "", data: "", expires_at: 0, transcript: "" },
    },
    text: "Hello",
  },
  {
    what: "a string beside sound",
    message: { content: "Hello", audio: { id: "", data: "AAAA", expires_at: 0 } },
    text: "Hello",
    warnings: noText('"audio"'),
  },
  {
    what: "a list of texts",
    message: { content: [{ type: "text", text: "Hel" }, { type: "output_text", text: "lo" }, "!"] },
    text: "Hello!",
  },
  {
    what: "one part",
    message: { content: { type: "text", text: { value: "Hello" } } },
    text: "Hello",
  },
  {
    what: "thinking of Mistral before a text",
    message: {
      content: [
        {
          type: "thinking",
          thinking: [
            { type: "text", text: "Hm," },
            { type: "text", text: " so." },
          ],
        },
        { type: "text", text: "Hello" },
      ],
    },
    text: "Hello",
    reasoning: "Hm, so.",
  },
  {
    what: "thinking of other kinds",
    message: {
      content: [
        { type: "thinking", thinking: "a" },
        { type: "reasoning", text: "b" },
        { type: "reasoning", summary: [{ type: "summary_text", text: "c" }] },
        { type: "reasoning_text", text: "d" },
        { text: "Hello" },
      ],
    },
    text: "Hello",
    reasoning: "abcd",
  },
  {
    what: "unknown kinds",
    message: {
      content: [
        { type: "image_url", image_url: { url: "data:…" } },
        { type: "text", text: "Hello" },
        { type: "image_url", image_url: { url: "data:…" } },
        { type: "markdown", text: "!" },
        { type: "audio", content: "AAAA" },
      ],
    },
    text: "Hello!",
    warnings: noText('"image_url", "audio"'),
  },
  {
    what: "other members",
    message: { content: "Hello", images: [{}], audio: { data: "AAAA" }, tool_calls: [] },
    text: "Hello",
    warnings: noText('"audio", "images"'),
  },
  {
    what: "a refusal",
    message: { content: null, refusal: "No." },
    text: "No.",
    warnings: ["The model refused to answer; the text is its refusal."],
  },
  {
    what: "a refusal as a part",
    message: { content: [{ type: "refusal", refusal: "No." }] },
    text: "No.",
    warnings: ["The model refused to answer; the text is its refusal."],
  },
  { what: "a text beyond ASCII", message: { content: "Grüße 😀" }, text: "Grüße 😀" },
  {
    what: "parts and thinking beyond ASCII",
    message: { reasoning_content: "Größe? 🤔", content: [{ type: "text", text: "Grüße 😀" }] },
    text: "Grüße 😀",
    reasoning: "Größe? 🤔",
  },
  ...[
    { reasoning_content: "Hm." },
    { reasoning: "Hm." },
    { reasoning: { text: "Hm." } },
    { reasoning: { summary: [{ type: "summary_text", text: "Hm." }] } },
    { thinking: "Hm." },
    { thinking: { content: "Hm." } },
    { reasoning_details: [{ type: "reasoning.text", text: "Hm", signature: "x" }, { text: "." }] },
    { reasoning_details: [{ type: "reasoning.summary", summary: "Hm." }] },
    { thinking_blocks: [{ type: "thinking", thinking: "Hm.", signature: "x" }] },
    // The same text in several places.
    { reasoning: "Hm.", reasoning_details: [{ type: "reasoning.text", text: "Hm." }] },
    { reasoning_content: "Hm.", reasoning: "Hm.", thinking: "Hm." },
  ].map((members) => ({
    what: `thinking in ${JSON.stringify(members)}`,
    message: { role: "assistant", content: "4", ...members },
    text: "4",
    reasoning: "Hm.",
  })),
];

describe("the content of an answer", () => {
  const expected = ({ text: said = "", reasoning = "", warnings = [] }: MessageCase) => ({
    text: said,
    reasoning,
    warnings,
    finish: "stop",
  });

  it.each(MESSAGES)("is read where it is $what, not streamed", async (each) => {
    const body = JSON.stringify({ choices: [{ message: each.message, finish_reason: "stop" }] });
    expect(await read(body, "whole", "application/json")).toEqual(expected(each));
    expect(await read(body, "streamed", "application/json")).toEqual(expected(each));
  });

  it("is read in pieces of one byte, not streamed", async () => {
    const body = JSON.stringify({ choices: [{ message: { content: "Grüße 🎉" } }] });
    expect(await read(bytesOf(body), "whole", "application/json")).toEqual({
      ...HELLO,
      text: "Grüße 🎉",
    });
  });

  it.each(MESSAGES)("is read where it is $what, in a stream", async (each) => {
    for (const member of ["delta", "message"]) {
      const body = data({ choices: [{ [member]: each.message }] }, STOP, "[DONE]");
      const pieces = member === "delta" ? bytesOf(body) : body;
      expect(await read(pieces), member).toEqual(expected(each));
    }
  });

  it.each([
    ["text", { choices: [{ text: "Hello", finish_reason: "stop" }] }],
    ["delta", { choices: [{ delta: { content: "Hello" }, finish_reason: "stop" }] }],
    ["message", { choices: [{ message: { content: "Hello" }, finish_reason: "stop" }] }],
    ["message beside an empty delta", { choices: [{ delta: {}, message: { content: "Hello" } }] }],
    [
      "message beside a delta of null",
      { choices: [{ delta: null, message: { content: "Hello" } }] },
    ],
    [
      "delta beside the same message",
      {
        choices: [
          { delta: { content: "Hello" }, message: { content: "Hello" }, finish_reason: "stop" },
        ],
      },
    ],
  ])("is read from `%s`, whole and in a stream", async (_member, chunk) => {
    expect(await read(JSON.stringify(chunk), "whole")).toEqual(HELLO);
    expect(await read(data(chunk, "[DONE]"))).toEqual(HELLO);
    expect(await read(bytesOf(data(chunk, "[DONE]")))).toEqual(HELLO);
  });

  it("is not repeated by a last message that holds all of it", async () => {
    const last = { choices: [{ message: { content: "Hello" }, finish_reason: "stop" }] };
    expect(await read(data(text("Hel"), text("lo"), last, "[DONE]"))).toEqual(HELLO);
  });

  it("is complete without a finish_reason if it is not streamed", async () => {
    const body = JSON.stringify({ choices: [{ message: { content: "Hello" } }] });
    expect(await read(body)).toEqual(HELLO);
    expect(await read(body, "whole")).toEqual(HELLO);
  });
});

const NO_ANSWERS: readonly (readonly [string, unknown, RegExp])[] = [
  ["an empty object", {}, /It said: nothing/],
  ["an empty list", [], /something else than a completion/],
  ["a list of numbers", [1, 2], /something else than a completion/],
  ["a list of lists", [[]], /something else than a completion/],
  ["choices of words", { choices: "none" }, /something else than a completion/],
  ["choices as an object", { choices: { message: { content: "Hi" } } }, /something else than/],
  ["no choice", { choices: [] }, /something else than a completion/],
  ["choices of null", { choices: null, object: "chat.completion" }, /something else/],
  ["counts alone", { choices: [], usage: { prompt_tokens: 3, completion_tokens: 0 } }, /something/],
  ["a choice of null", { choices: [null] }, /something else than a completion/],
  [
    "a choice without content",
    { choices: [{ index: 0, finish_reason: "stop" }] },
    /something else/,
  ],
  ["another API", { id: "x", output: [{ type: "message" }] }, /something else than a completion/],
  [
    "a number as content",
    { choices: [{ message: { content: 7 }, finish_reason: "stop" }] },
    /"number"/,
  ],
  [
    "an unknown content",
    { choices: [{ message: { content: { x: 1 } }, finish_reason: "stop" }] },
    /no text, only content that cannot be shown: "unknown"/,
  ],
  [
    "an image alone",
    { choices: [{ message: { content: [{ type: "image_url" }] }, finish_reason: "stop" }] },
    /"image_url"/,
  ],
];

describe("a 200 without an answer", () => {
  it.each(NO_ANSWERS)("is an error with that reason: %s", async (_what, chunk, message) => {
    const error = {
      code: "INVALID_RESPONSE",
      message: expect.stringMatching(message),
      retryable: false,
    };
    const body = JSON.stringify(chunk);
    await expect(read(body, "whole", "application/json")).rejects.toMatchObject(error);
    await expect(read(body, "streamed", "application/json")).rejects.toMatchObject(error);
    for (const stream of [data(chunk, "[DONE]"), data(chunk)]) {
      await expect(read(stream)).rejects.toMatchObject(error);
      await expect(read(bytesOf(stream))).rejects.toMatchObject(error);
    }
  });

  it.each([
    ["plain words", "no model here", "no model here"],
    ["words as data", data("no model here", "[DONE]"), "no model here"],
    ["a JSON string", '"no model here"', "no model here"],
    ["words after signs of life", data("null", "no model here", "null"), "no model here"],
  ])("is an error with its text: %s", async (_what, body, words) => {
    const message = expect.stringContaining(`It said: ${words}`);
    const error = { code: "INVALID_RESPONSE", message };
    await expect(read(body, "streamed", "text/plain")).rejects.toMatchObject(error);
    await expect(read(body, "whole", "text/plain")).rejects.toMatchObject(error);
    await expect(read(bytesOf(body), "streamed", "text/plain")).rejects.toMatchObject(error);
  });
});

const SSE = data(text("Hel"), text("lo"), STOP, "[DONE]");
const FRAMES: readonly (readonly [string, string])[] = [
  ["empty data", data("", text("Hel"), " ", text("lo"), STOP, "", "[DONE]")],
  ["comments", `: OPENROUTER PROCESSING\n\n${SSE.replaceAll("\n\n", "\n\n: ping\n\n")}`],
  ["retry and id", `retry: 3000\n\nid: 7\n\n${SSE.replaceAll("data", "id: 1\nretry: 5\ndata")}`],
  ["unknown events", SSE.replaceAll("data", 'event: ping\ndata: {"type":"ping"}\n\ndata')],
  ["unknown events with words", SSE.replaceAll("data", "event: ping\ndata: alive\n\ndata")],
  [
    "unknown events with a message",
    SSE.replaceAll("data", 'event: x\ndata: {"message":"a"}\n\ndata'),
  ],
  ["named chunks", SSE.replaceAll("data", "event: chunk\ndata")],
  ["chunks named message", SSE.replaceAll("data", "event: message\ndata")],
  ["counts without choices", data(text("Hello"), { choices: [], usage: {} }, STOP, "[DONE]")],
  ["counts without a list", data(text("Hello"), { usage: null }, STOP, "[DONE]")],
  ...["", " ", false, null, 0].map((error): readonly [string, string] => [
    `an error of ${JSON.stringify(error)}`,
    data({ ...text("Hel"), error }, { ...text("lo"), error }, { ...STOP, error }, "[DONE]"),
  ]),
  ["null as data", data("null", text("Hello"), "null", STOP, "null", "[DONE]")],
  ["no blank lines", SSE.replaceAll("\n\n", "\n")],
  ["no end of the last line", SSE.trimEnd()],
  ["no [DONE]", data(text("Hello"), STOP)],
  ["no line break at its end", data(text("Hello"), STOP).trimEnd()],
  ["CR and LF", SSE.replaceAll("\n", "\r\n")],
  ["a byte order mark", `\ufeff${SSE}`],
  ["JSON lines", [text("Hel"), text("lo"), STOP].map((each) => JSON.stringify(each)).join("\n")],
  ["a list of chunks", JSON.stringify([text("Hel"), text("lo"), STOP])],
  [
    "a finish_reason of words in each chunk",
    data(text("Hello", "null"), text("", ""), STOP, "[DONE]"),
  ],
];

describe("an odd event of a stream", () => {
  it.each(FRAMES)("does not break the answer: %s", async (_what, body) => {
    expect(await read(body)).toEqual(HELLO);
    expect(await read(body, "streamed", "application/json")).toEqual(HELLO);
    expect(await read(body, "whole")).toEqual(HELLO);
    expect(await read(bytesOf(body))).toEqual(HELLO);
  });

  it("with plain text is ignored in an answer that ends properly, with a warning", async () => {
    const answer = await read(data(text("Hel"), "alive", text("lo"), "alive", STOP, "[DONE]"));
    const warnings = ["An event of the answer could not be read and was left out."];
    expect(answer).toEqual({ ...HELLO, warnings });
  });

  it.each([
    "Internal Server Error",
    "[ERROR] engine crashed",
    "[error]: engine crashed",
    "ERROR: engine crashed",
    '"engine crashed"',
  ])(
    "with plain text is an error with that text in an answer without a proper end: %s",
    async (said) => {
      const message = expect.stringContaining(`It said: ${said.replaceAll('"', "")}`);
      const error = { code: "INVALID_RESPONSE", message };
      for (const body of [data(text("Hel"), said, "[DONE]"), data(text("Hel"), said)]) {
        await expect(read(body)).rejects.toMatchObject(error);
        await expect(read(bytesOf(body))).rejects.toMatchObject(error);
      }
      await expect(read(data(said))).rejects.toMatchObject(error);
    },
  );
});

const REFUSED = { code: 400, message: "the request exceeds the available context size" };

describe("an error inside a 200", () => {
  it.each([
    ["a field of its own", `error: ${JSON.stringify(REFUSED)}\n\ndata: [DONE]\n\n`],
    ["a field without a blank line", `error: ${JSON.stringify(REFUSED)}\ndata: [DONE]\n`],
    ["a field in words", `error: ${REFUSED.message}\n\n`],
    ["JSON without data", `${JSON.stringify({ error: REFUSED })}\n\n`],
    ["JSON without data, after a chunk", `${data(text(""))}${JSON.stringify({ error: REFUSED })}`],
    ["JSON on many lines", JSON.stringify({ error: REFUSED }, null, 2)],
    ["a list", JSON.stringify([{ error: REFUSED }])],
    ["data", data({ error: REFUSED }, "[DONE]")],
    ["an event named error", `event: error\n${data({ error: REFUSED })}`],
    ["an event named error that is it", `event: error\n${data(REFUSED)}`],
    ["an event named error in words", `event: error\n${data(REFUSED.message)}`],
  ])("is recognised as %s", async (_what, body) => {
    const error = { code: "CONTEXT_LENGTH_EXCEEDED" };
    await expect(read(body)).rejects.toMatchObject(error);
    await expect(read(body, "streamed", "application/json")).rejects.toMatchObject(error);
    await expect(read(body, "whole")).rejects.toMatchObject(error);
    await expect(read(bytesOf(body))).rejects.toMatchObject(error);
  });
});

const BARE_ERRORS: readonly (readonly [object, string, string])[] = [
  [
    {
      object: "error",
      message: "The request queue is full.",
      type: "SERVICE_UNAVAILABLE",
      code: 503,
    },
    "SERVICE_BUSY",
    "The request queue is full.",
  ],
  [{ code: 429, message: "Too many requests" }, "SERVICE_BUSY", "Too many requests"],
  [{ message: "Come back later", type: "overloaded_error" }, "SERVICE_BUSY", "Come back later"],
  [{ detail: "Generation failed: CUDA error" }, "INFERENCE_FAILED", "CUDA error"],
  [{ object: "error", message: "The engine is dead." }, "INFERENCE_FAILED", "The engine is dead."],
  [
    { object: "error", message: "No such sampler", code: 400 },
    "INVALID_REQUEST",
    "No such sampler",
  ],
];

describe("an error as the event itself", () => {
  it.each(BARE_ERRORS)("is recognised like a member `error`: %o", async (said, code, words) => {
    const error = { code, message: expect.stringContaining(words) };
    await expect(read(data(said))).rejects.toMatchObject(error);
    await expect(read(bytesOf(data(said, "[DONE]")))).rejects.toMatchObject(error);
    await expect(read(data(text("Hel"), said, "[DONE]"))).rejects.toMatchObject(error);
    await expect(read(bytesOf(data(text("Hel"), said)))).rejects.toMatchObject(error);
    await expect(read(JSON.stringify(said), "whole")).rejects.toMatchObject(error);
  });
});

const REASONS: Readonly<Record<string, readonly string[]>> = {
  stop: [
    "stop",
    "STOP",
    "eos_token",
    "eos",
    "EOS",
    "end",
    "end_turn",
    "stop_sequence",
    "COMPLETE",
    "stop sequence",
    "eosFound",
    "stopStringFound",
  ],
  length: [
    "length",
    "max_tokens",
    "MAX_TOKENS",
    "length_limit",
    "model_length",
    "FINISH_REASON_LENGTH",
    "maxPredictedTokensReached",
    "contextLengthReached",
  ],
  tool_calls: ["tool_calls", "function_call", "tool_use", "TOOL_CALL", "tool-calls", "toolCalls"],
  content_filter: ["content_filter", "SAFETY", "recitation", "refusal", "PROHIBITED_CONTENT"],
};

describe("the finish_reason", () => {
  it.each(
    Object.entries(REASONS).flatMap(([reason, all]) => all.map((said) => [said, reason] as const)),
  )("%s means %s, whole and in a stream", async (said, finish) => {
    const expected = { ...HELLO, finish };
    const stream = data(text("Hello"), text("", said), "[DONE]");
    expect(await read(stream)).toEqual(expected);
    expect(await read(bytesOf(stream))).toEqual(expected);
    const whole = { choices: [{ message: { content: "Hello" }, finish_reason: said }] };
    expect(await read(JSON.stringify(whole), "whole")).toEqual(expected);
  });

  it.each([
    "abort",
    "ERROR",
    "cancelled",
    "user_cancel",
    "userStopped",
    "modelUnloaded",
    "timeout",
    "failed",
    "insufficient_system_resource",
  ])("%s is an interruption", async (said) => {
    const error = { code: "STREAM_INTERRUPTED", message: expect.stringContaining(said) };
    const stream = data(text("Hello", said), "[DONE]");
    await expect(read(stream)).rejects.toMatchObject(error);
    await expect(read(bytesOf(stream))).rejects.toMatchObject(error);
  });
});

describe("a stream after its finish_reason", () => {
  /** Far above COUNTS_AFTER_END_MS, for a loaded machine, and far below the limit for silence. */
  const SOON_MS = 5000;
  const USAGE = { choices: [], usage: { prompt_tokens: 3, completion_tokens: 2 } };

  /** The result of a connection that does this after its finish_reason. */
  async function after(end: string, then: "stall" | "reset" | "close"): Promise<Answer> {
    const { url } = await httpService((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(data(text("Hello"), STOP) + end, () => {
        if (then === "reset") setTimeout(() => response.socket?.resetAndDestroy(), 30);
        if (then === "close") response.socket?.end();
      });
    });
    const transport = new HttpTransport({ baseUrl: url, retry: { retries: 0 } });
    onTestFinished(() => transport.close());
    return gathered(await openChat(transport, REQUEST, QUIRKS, { limits: { silenceMs: 60_000 } }));
  }

  it.each([
    ["stalls", "", "stall"],
    ["stalls after its counts", data(USAGE), "stall"],
    ["stalls in the middle of an event", 'data: {"cho', "stall"],
    ["is reset", "", "reset"],
    ["is reset after its counts", data(USAGE), "reset"],
    ["is cut off", "", "close"],
    ["is cut off in the middle of an event", 'data: {"cho', "close"],
    ["stays open after [DONE]", data("[DONE]"), "stall"],
    ["reports an error", data({ error: { message: "no counts" } }), "stall"],
    ["sends what cannot be read", data('{"cho'), "stall"],
  ] as const)("that %s is complete, without a long wait", async (_what, end, then) => {
    const since = performance.now();
    expect(await after(end, then)).toEqual(HELLO);
    expect(performance.now() - since).toBeLessThan(SOON_MS);
  });

  it.each([
    ["OpenAI", USAGE.usage],
    ["mlx-vlm", { input_tokens: 3, output_tokens: 2, prompt_tps: 1.5 }],
  ])("keeps text and counts that still arrive, with the names of %s", async (_engine, usage) => {
    const events: ChatEvent[] = [];
    const { url } = await httpService((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(data(text("Hel"), STOP));
      setTimeout(() => response.write(data(text("lo"))), 100);
      setTimeout(() => response.end(data({ choices: [], usage })), 200);
    });
    const transport = new HttpTransport({ baseUrl: url, retry: { retries: 0 } });
    onTestFinished(() => transport.close());
    const stream = await openChat(transport, REQUEST, QUIRKS, { limits: {} });
    for await (const event of stream) events.push(event);
    expect(events).toEqual([
      { type: "text", text: "Hel" },
      { type: "finish", reason: "stop" },
      { type: "text", text: "lo" },
      { type: "usage", usage: { inputTokens: 3, outputTokens: 2 } },
    ]);
  });
});

// https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/619
const OTHER = "The engine says that other answered, not m.";
it.each([
  ["the model that was asked for", ["m", "m"], []],
  ["another one of its models", ["other", "other"], [OTHER]],
  ["another one of its models after no name", ["", "other"], [OTHER]],
  ["what is on no list, such as a file", ["/models/other.gguf", "/models/other.gguf"], []],
])("an answer in which the engine names %s", async (_what, [first, second], warnings) => {
  const part = { model: first, choices: [{ delta: { content: "Hello" }, finish_reason: null }] };
  const end = { model: second, choices: [{ delta: {}, finish_reason: "stop" }] };
  const { url } = await chatEngine(() => events(part, end));
  const answer = await clientOf(url).complete({ prompt: "Hi", model: "m" });
  expect(answer).toMatchObject({ text: "Hello", model: "m", warnings });
});
