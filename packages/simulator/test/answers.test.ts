import { describe, expect, it } from "vitest";
import {
  answersFromJson,
  DIALECTS,
  type DialectName,
  type ScriptedAnswer,
  startSimulator,
} from "../src/index.js";
import { chat, contentOf, dataOf, jsonOf, MODEL } from "./ask.js";

const MODELS = [{ id: MODEL, loaded: true, script: { text: "unscripted" } }];
const CALLS = [{ name: "get_weather", arguments: { city: "Zürich" } }];

const simulator = (answers: readonly ScriptedAnswer[], dialect: DialectName = "C2") =>
  startSimulator({ dialect, models: MODELS, answers });
const ask = (url: string, content: string, body: object = {}) =>
  chat(url, { messages: [{ role: "user", content }], ...body });

describe("the prompt of a scripted answer", () => {
  it("matches by text in any case or by regular expression; the first match decides", async () => {
    await using service = await simulator([
      { match: "WEATHER", reply: "Sunny." },
      { match: /^sum (\d+)/g, reply: "Forty-two." },
      { match: "weather in Oslo", reply: "never" },
    ]);
    const texts: string[] = [];
    for (const prompt of ["The weather in Oslo?", "sum 40 2", "sum 1 2", "Hello"]) {
      texts.push(contentOf(await ask(service.url, prompt)));
    }
    expect(texts).toEqual(["Sunny.", "Forty-two.", "Forty-two.", "unscripted"]);
  });

  it("is the last message of the user", async () => {
    await using service = await simulator([{ match: "first", reply: "wrong" }, { reply: "right" }]);
    const messages = [
      { role: "user", content: "the first" },
      { role: "assistant", content: "first" },
      { role: "user", content: [{ type: "text", text: "the second" }] },
    ];
    expect(contentOf(await chat(service.url, { messages }))).toBe("right");
  });
});

describe("a scripted tool call", () => {
  it("is not repeated after the result of the tool", async () => {
    await using service = await simulator([{ toolCalls: CALLS }, { reply: "Sunny." }]);
    const user = { role: "user", content: "The weather?" };
    const asked = jsonOf(await chat(service.url, { messages: [user] }));
    const { message } = Object(asked).choices[0];
    const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: "sun" };
    const messages = [user, message, result];
    expect(contentOf(await chat(service.url, { messages }))).toBe("Sunny.");
  });
});

describe.each(DIALECTS)("as %s, a scripted answer", (dialect) => {
  it("is text, streamed as tokens or whole", async () => {
    await using service = await simulator([{ reply: "One two three." }], dialect);
    const whole = jsonOf(await ask(service.url, "Hi"));
    const events = dataOf(await ask(service.url, "Hi", { stream: true }));
    const texts = events.map((event) => Object(event).choices?.[0]?.delta.content ?? "");
    expect(whole).toMatchObject({ choices: [{ message: { content: "One two three." } }] });
    expect(texts.filter((text) => text !== "")).toEqual(["One", " two", " three", "."]);
  });

  it("is the JSON of an object", async () => {
    await using service = await simulator([{ json: { city: "Zürich", days: [1, 2] } }], dialect);
    const answer = jsonOf(await ask(service.url, "Hi"));
    const { content } = Object(answer).choices[0].message;
    expect(JSON.parse(content)).toEqual({ city: "Zürich", days: [1, 2] });
  });

  it("calls tools, streamed or whole", async () => {
    await using service = await simulator([{ toolCalls: CALLS }], dialect);
    const whole = Object(jsonOf(await ask(service.url, "Hi"))).choices[0];
    const events = dataOf(await ask(service.url, "Hi", { stream: true }));
    const choices = events.flatMap((event) => Object(event).choices ?? []);
    const streamed = choices.flatMap(({ delta }) => delta.tool_calls ?? []);
    for (const calls of [whole.message.tool_calls, streamed]) {
      expect(calls).toHaveLength(1);
      expect(calls[0]).toMatchObject({ type: "function", function: { name: "get_weather" } });
      expect(JSON.parse(calls[0].function.arguments)).toEqual({ city: "Zürich" });
    }
    expect(whole.finish_reason).toBe("tool_calls");
    expect(choices.map(({ finish_reason }) => finish_reason)).toContain("tool_calls");
  });

  it("calls several tools, distinguishable by id or index", async () => {
    const toolCalls = [...CALLS, ...CALLS];
    await using service = await simulator([{ toolCalls }], dialect);
    const events = dataOf(await ask(service.url, "Hi", { stream: true }));
    const calls = events.flatMap((event) => Object(event).choices?.[0]?.delta.tool_calls ?? []);
    expect(calls).toHaveLength(2);
    // Core 2.x begins again at 0 with each piece.
    const key = dialect === "openai" ? "index" : "id";
    expect(new Set(calls.map((call) => call[key])).size).toBe(2);
  });

  it.each([true, false])("is an error in the dialect's words, streamed: %s", async (stream) => {
    const error = { status: 429, message: "one at a time" };
    await using service = await simulator([{ error }], dialect);
    const answer = await ask(service.url, "Hi", { stream });
    expect(answer.status).toBe(429);
    if (dialect === "S") expect(answer.chunks.join("")).toBe("one at a time");
    else {
      const type = "invalid_request_error";
      expect(jsonOf(answer)).toMatchObject({ error: { message: "one at a time", type } });
    }
  });
});

it.each(["slow-body,bytes=5,everyMs=0", "split,bytes=7", "close-after,bytes=5"])(
  "an error keeps its status under the fault %s",
  async (fault) => {
    await using service = await simulator([{ error: { status: 429, message: "later" } }]);
    service.addFault(fault);
    expect((await ask(service.url, "Hi")).status).toBe(429);
  },
);

it.each(["C1", "C2", "openai", "S"] as const)(
  "a whole answer of %s counts its tokens",
  async (dialect) => {
    await using service = await simulator([{ reply: "One two three." }], dialect);
    await ask(service.url, "Hi");
    const { requests } = service;
    expect(requests.at(-1)).toMatchObject({ tokensGenerated: 4, tokensSent: 4 });
  },
);

it("an answer that fails counts no tokens as sent", async () => {
  const script = { text: "One two three four.", failAfterTokens: 3 };
  await using service = await startSimulator({ models: [{ id: MODEL, loaded: true, script }] });
  expect((await ask(service.url, "Hi")).status).toBeGreaterThanOrEqual(400);
  expect(service.requests.at(-1)).toMatchObject({ tokensGenerated: 3, tokensSent: 0 });
});

it("a delay longer than a timer's maximum does not end at once", async () => {
  await using service = await simulator([{ reply: "late", delayMs: 2 ** 31 }]);
  const messages = [{ role: "user", content: "Hi" }];
  const answer = chat(service.url, { messages }, { leaveAfterMilliseconds: 100 });
  expect(await answer).toMatchObject({ chunks: [], connection: "closed by the client" });
});

describe("the delay of a scripted answer", () => {
  it("passes before its first token, and before an error", async () => {
    await using service = await simulator([
      { match: "fail", error: { status: 500, message: "broken" }, delayMs: 50 },
      { match: "text", reply: "late", delayMs: 50 },
      { delayMs: 50 },
    ]);
    for (const [prompt, status] of [
      ["fail", 500],
      ["text", 200],
      ["other", 200],
    ] as const) {
      const started = performance.now();
      expect((await ask(service.url, prompt)).status).toBe(status);
      expect(performance.now() - started).toBeGreaterThanOrEqual(49);
    }
    expect(contentOf(await ask(service.url, "other"))).toBe("unscripted");
  });
});

describe("an invalid scripted answer", () => {
  const wrong: [unknown, RegExp][] = [
    ["Hi", /^answers: expected an array/],
    [[{ reply: "a" }, "Hi"], /^answers\[1\]: .*expected object/],
    [[{ reply: 5 }], /^answers\[0\]\.reply: .*expected string/],
    [[{ match: 5, reply: "a" }], /^answers\[0\]\.match: expected a text or a RegExp$/],
    [[{ match: "a" }], /^answers\[0\]: has none of reply, toolCalls, json, error, delayMs$/],
    [[{ reply: "a", json: {} }], /^answers\[0\]: has reply and json, of which one is allowed$/],
    [[{ toolCalls: [{ name: "f" }] }], /^answers\[0\]\.toolCalls\[0\]\.arguments: .*expected/],
    [[{ error: { status: 200, message: "" } }], /^answers\[0\]\.error\.status: .*>=400/],
    [[{ answer: "a" }], /^answers\[0\]: .*"answer"/],
    [[{ delayMs: -1 }], /^answers\[0\]\.delayMs: .*>=0/],
    [[{ match: "/(/", reply: "a" }], /^answers\[0\]\.match: Invalid regular expression/],
  ];

  it.each(wrong)("is refused with its position: %j", (answers, message) => {
    expect(() => answersFromJson(answers)).toThrow(message);
  });

  it("is refused when the simulator starts", async () => {
    const starting = startSimulator({ answers: [{ match: "a" }] });
    await expect(starting).rejects.toThrow(/^answers\[0\]: has none of/);
  });
});

it("may be a regular expression with flags in JSON", async () => {
  const answers = answersFromJson([{ match: "/^HELLO/i", reply: "found" }]);
  await using service = await simulator(answers);
  expect(contentOf(await ask(service.url, "hello there"))).toBe("found");
});
