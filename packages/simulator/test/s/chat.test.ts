import { describe, expect, it } from "vitest";
import { chat, contentOf, dataOf, jsonOf, MODEL } from "../ask.js";
import { startService, TALKER } from "./start.js";

const ENDLESS = { id: MODEL, script: { text: "word ", forever: true } };
describe("a chat of S", () => {
  it("loads its model by itself", async () => {
    await using simulator = await startService();
    expect(jsonOf(await chat(simulator.url))).toMatchObject({
      choices: [{ message: { content: "one two three" }, finish_reason: "stop" }],
    });
    expect(simulator.loaded).toEqual([MODEL]);
  });

  it("does not load its model where the switch is off", async () => {
    await using simulator = await startService({ switches: { loadsForChat: false } });
    expect((await chat(simulator.url)).status).toBe(400);
  });

  it("repeats its text in every chunk and never sends a finish_reason", async () => {
    await using simulator = await startService();
    const events = dataOf(await chat(simulator.url, { stream: true, max_tokens: 2 }));
    const said = (content: string) => ({ role: "assistant", content, tool_calls: [] });
    expect(events).toHaveLength(3);
    expect(events[0]).toMatchObject({
      id: "chat.id.1",
      choices: [{ delta: said("one"), message: said("one") }],
    });
    expect(events[2]).toBe("[DONE]");
    expect(JSON.stringify(events)).not.toMatch(/finish_reason|usage/);
    expect(simulator.requests[0]).toMatchObject({ tokensGenerated: 2, tokensSent: 2 });
  });

  it("sends finish_reason and usage where the switches are set", async () => {
    const switches = { streamFinish: "given", streamUsage: true } as const;
    await using simulator = await startService({ switches });
    const events = dataOf(await chat(simulator.url, { stream: true, max_tokens: 2 }));
    expect(events.at(-2)).toMatchObject({
      choices: [{ finish_reason: "length" }],
      usage: { completion_tokens: 2 },
    });
  });

  it("reports `stop` for an answer that the service's own limit cut", async () => {
    await using simulator = await startService({
      models: [{ ...ENDLESS, contextLength: 4096 }],
    });
    expect(jsonOf(await chat(simulator.url))).toMatchObject({
      choices: [{ finish_reason: "stop" }],
    });
    expect(simulator.requests[0]).toMatchObject({ tokensGenerated: 2048 });
  });

  it("answers one request after the other", async () => {
    await using simulator = await startService({ tokensPerSecond: 50, models: [ENDLESS] });
    const both = [1, 2].map(() => chat(simulator.url, { max_tokens: 50 }));
    let most = 0;
    await simulator.waitFor(({ generating, requests }) => {
      most = Math.max(most, generating);
      return requests.length === 2 && requests.every(({ closedAt }) => closedAt !== null);
    });
    await Promise.all(both);
    expect(most).toBe(1);
  });

  it("generates an answer to its end after the client disconnected", async () => {
    await using simulator = await startService({ models: [ENDLESS], tokensPerSecond: 50 });
    await chat(simulator.url, { stream: true, max_tokens: 100 }, { leaveAfterChunks: 2 });
    const request = await simulator.waitFor((s) => s.requests.find((r) => r.endedBy !== null));
    await simulator.waitFor((s) => s.generating === 0);
    expect(request).toMatchObject({ endedBy: "client-gone", tokensGenerated: 100 });
    expect(request.tokensSent).toBeLessThan(100);
  });

  it("fails before it begins with or without a message, and is cut off afterwards", async () => {
    const models = [{ ...TALKER, script: { failAfterTokens: 0, failure: "bad allocation" } }];
    for (const [errorBody, chunks] of [
      ["text", ["bad allocation"]],
      ["empty", []],
    ] as const) {
      await using simulator = await startService({ models, switches: { errorBody } });
      for (const stream of [true, false]) {
        expect(await chat(simulator.url, { stream })).toMatchObject({ status: 500, chunks });
      }
    }
    const later = [{ ...TALKER, script: { text: "one two three", failAfterTokens: 1 } }];
    await using simulator = await startService({ models: later });
    const answer = await chat(simulator.url, { stream: true });
    expect(dataOf(answer)).toHaveLength(1);
    expect(answer.connection).toBe("closed by the service before the end of its answer");
  });

  it("refuses a prompt longer than the context, and arguments of a wrong type", async () => {
    await using simulator = await startService();
    const long = await chat(simulator.url, { max_tokens: 5000 });
    expect(long.status).toBe(500);
    expect(long.chunks.join("")).toContain("maximum context length of 4096 tokens");
    for (const wrong of [{ temperature: "hot" }, { messages: "Hi" }, { max_tokens: 0.5 }]) {
      expect(await chat(simulator.url, wrong)).toMatchObject({ status: 500, chunks: [] });
    }
  });

  it("leaves thinking in the text", async () => {
    const markers = { reasoningMarkers: { start: "<think>", end: "</think>" } };
    const models = [{ ...TALKER, ...markers, script: { think: "Hm.", text: "Yes." } }];
    await using simulator = await startService({ models });
    expect(contentOf(await chat(simulator.url))).toContain("<think>Hm.</think>Yes.");
  });
});
