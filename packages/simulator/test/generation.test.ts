import { describe, expect, it } from "vitest";
import { startSimulator } from "../src/index.js";
import { chat, contentOf, dataOf, jsonOf, MODEL } from "./ask.js";

const TALKER = { id: MODEL, loaded: true };

describe("what a simulated model says", () => {
  it("says of itself that it is simulated", async () => {
    await using simulator = await startSimulator({ models: [TALKER] });
    expect(contentOf(await chat(simulator.url))).toMatch(
      /^This is simulated text from the foundry-local-mcp simulator, not from a model\. [A-Z]/,
    );
  });

  it("is the same for the same prompt, streamed or not, and another for another", async () => {
    await using simulator = await startSimulator({ models: [TALKER] });
    const whole = contentOf(await chat(simulator.url));
    const streamed = contentOf(await chat(simulator.url, { stream: true }));
    const other = contentOf(
      await chat(simulator.url, { messages: [{ role: "user", content: "Something else" }] }),
    );
    expect(streamed).toBe(whole);
    expect(other).not.toBe(whole);
  });

  it("has as many tokens as the stream has chunks, as usage says and as max_tokens allows", async () => {
    await using simulator = await startSimulator({ models: [TALKER] });
    const request = { stream: true, max_tokens: 7, stream_options: { include_usage: true } };
    const events = dataOf(await chat(simulator.url, request));
    const texts = events.filter((event) => /"content":"[^"]/.test(JSON.stringify(event)));
    expect(texts).toHaveLength(7);
    expect(events.at(-3)).toMatchObject({ choices: [{ finish_reason: "length" }] });
    expect(events.at(-2)).toMatchObject({ usage: { completion_tokens: 7, total_tokens: 15 + 7 } });
    expect(simulator.requests[0]).toMatchObject({ tokensGenerated: 7, tokensSent: 7 });
  });

  it("ends with stop when it is over before its limit", async () => {
    await using simulator = await startSimulator({
      models: [{ ...TALKER, script: { text: "Yes." } }],
    });
    expect(jsonOf(await chat(simulator.url, { max_tokens: 3 }))).toMatchObject({
      choices: [{ finish_reason: "stop", message: { content: "Yes." } }],
      usage: { completion_tokens: 2 },
    });
  });

  it("calls a tool that the prompt names, with arguments that fit its schema", async () => {
    await using simulator = await startSimulator({ models: [{ ...TALKER, toolCalling: true }] });
    const parameters = {
      type: "object",
      properties: { city: { type: "string" }, days: { type: "integer", minimum: 1 } },
      required: ["city", "days"],
    };
    const tools = [{ type: "function", function: { name: "get_weather", parameters } }];
    const messages = [{ role: "user", content: "Use get_weather." }];
    expect(jsonOf(await chat(simulator.url, { messages, tools }))).toMatchObject({
      choices: [
        {
          finish_reason: "tool_calls",
          message: {
            content: "",
            tool_calls: [
              { function: { name: "get_weather", arguments: '{"city":"simulated","days":1}' } },
            ],
          },
        },
      ],
    });
  });

  it("answers the result of a tool with text", async () => {
    await using simulator = await startSimulator({ models: [{ ...TALKER, toolCalling: true }] });
    const call = { id: "call_1", type: "function", function: { name: "f", arguments: "{}" } };
    const messages = [
      { role: "user", content: "Use f." },
      { role: "assistant", content: "", tool_calls: [call] },
      { role: "tool", tool_call_id: "call_1", content: "42" },
    ];
    const tools = [{ type: "function", function: { name: "f" } }];
    expect(jsonOf(await chat(simulator.url, { messages, tools }))).toMatchObject({
      choices: [{ finish_reason: "stop" }],
    });
  });

  it("is JSON of the schema's types where the version constrains it", async () => {
    await using simulator = await startSimulator({ models: [TALKER] });
    const schema = {
      type: "object",
      properties: { name: { type: "string" }, done: { type: "boolean" } },
      required: ["name", "done"],
    };
    const response_format = { type: "json_schema", json_schema: { name: "x", schema } };
    const answer = contentOf(await chat(simulator.url, { response_format }));
    expect(JSON.parse(answer)).toEqual({ name: "simulated", done: false });
  });
});

describe("the time a simulated model takes", () => {
  it("is the first token's and then the tokens' at their rate", async () => {
    await using simulator = await startSimulator({
      models: [TALKER],
      firstTokenMs: 100,
      tokensPerSecond: 50,
    });
    const started = performance.now();
    await chat(simulator.url, { stream: true, max_tokens: 11 });
    const took = performance.now() - started;
    expect(took).toBeGreaterThanOrEqual(300 - 1);
  });

  it("is that of one for twenty at once", async () => {
    await using simulator = await startSimulator({ models: [TALKER], tokensPerSecond: 20 });
    const started = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => chat(simulator.url, { max_tokens: 11 })),
    );
    expect(answers.map(({ status }) => status)).toEqual(new Array(20).fill(200));
    // One after the other they would take 10 s.
    expect(performance.now() - started).toBeLessThan(8000);
  });
});
