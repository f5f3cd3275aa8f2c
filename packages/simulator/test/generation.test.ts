import { describe, expect, it } from "vitest";
import { startSimulator } from "../src/index.js";
import { chat, contentOf, dataOf, jsonOf, MODEL } from "./ask.js";

const TALKER = { id: MODEL, loaded: true };

describe("the text of a simulated model", () => {
  it("states that it is simulated", async () => {
    await using simulator = await startSimulator({ models: [TALKER] });
    expect(contentOf(await chat(simulator.url))).toMatch(
      /^This is simulated text from the foundry-local-mcp simulator, not from a model\. [A-Z]/,
    );
  });

  it("is the same for the same prompt, streamed or not, and differs between prompts", async () => {
    await using simulator = await startSimulator({ models: [TALKER] });
    const whole = contentOf(await chat(simulator.url));
    const streamed = contentOf(await chat(simulator.url, { stream: true }));
    const other = contentOf(
      await chat(simulator.url, { messages: [{ role: "user", content: "Something else" }] }),
    );
    expect(streamed).toBe(whole);
    expect(other).not.toBe(whole);
  });

  it("has as many tokens as the stream has chunks and `usage` reports, at most max_tokens", async () => {
    await using simulator = await startSimulator({ models: [TALKER] });
    const request = { stream: true, max_tokens: 7, stream_options: { include_usage: true } };
    const events = dataOf(await chat(simulator.url, request));
    const texts = events.filter((event) => /"content":"[^"]/.test(JSON.stringify(event)));
    expect(texts).toHaveLength(7);
    expect(events.at(-3)).toMatchObject({ choices: [{ finish_reason: "length" }] });
    expect(events.at(-2)).toMatchObject({ usage: { completion_tokens: 7, total_tokens: 15 + 7 } });
    expect(simulator.requests[0]).toMatchObject({ tokensGenerated: 7, tokensSent: 7 });
  });

  it("ends with stop when it is complete before its limit", async () => {
    await using simulator = await startSimulator({
      models: [{ ...TALKER, script: { text: "Yes." } }],
    });
    expect(jsonOf(await chat(simulator.url, { max_tokens: 3 }))).toMatchObject({
      choices: [{ finish_reason: "stop", message: { content: "Yes." } }],
      usage: { completion_tokens: 2 },
    });
  });
});

describe("the duration of a simulated answer", () => {
  it("is the time to the first token plus the tokens at their rate", async () => {
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

  it("is the same for twenty concurrent answers as for one", async () => {
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
