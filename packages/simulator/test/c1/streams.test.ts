import { describe, expect, it } from "vitest";
import { dataOf } from "../ask.js";
import { chat, core1, TALKER } from "./ask.js";

describe("a client that disconnects from C1", () => {
  it.each([
    { stream: true, leaving: { leaveAfterChunks: 3 } },
    { stream: false, leaving: { leaveAfterMilliseconds: 100 } },
  ])("stops its generation, streamed: $stream", async ({ stream, leaving }) => {
    await using simulator = await core1({ tokensPerSecond: 40 });
    // Far more than it can generate before the client disconnects, even on a busy machine.
    await chat(simulator, { stream, max_tokens: 600 }, leaving);
    const request = await simulator.waitFor((s) => s.requests.find((r) => r.endedBy !== null));
    await simulator.waitFor((s) => s.generating === 0);
    expect(request.endedBy).toBe("client-gone");
    expect(request.tokensGenerated).toBeLessThan(600);
  });
});

describe("a stream of C1", () => {
  it("sends its headers with the first token", async () => {
    await using simulator = await core1({ firstTokenMs: 3000 });
    const answer = await chat(simulator, { stream: true }, { leaveAfterMilliseconds: 100 });
    expect(answer).toEqual({ chunks: [], connection: "closed by the client" });
  });

  it("takes turns with other streams", async () => {
    await using simulator = await core1({ tokensPerSecond: 10 });
    const streams = [1, 2, 3].map(() => chat(simulator, { stream: true, max_tokens: 20 }));
    await simulator.waitFor(
      (s) => s.requests.filter(({ tokensSent }) => tokensSent > 1).length === 3,
    );
    expect(simulator.requests.every(({ endedBy }) => endedBy === null)).toBe(true);
    for (const { chunks } of await Promise.all(streams)) expect(chunks).toHaveLength(22);
  });

  it("repeats each text in two members, with usage in every chunk", async () => {
    const script = { tokens: ["<b>", "ü"] };
    await using simulator = await core1({ models: [{ ...TALKER, script }] });
    const answer = await chat(simulator, { stream: true, max_tokens: 9 });
    const [first, , last] = dataOf(answer);
    expect(first).toMatchObject({
      choices: [{ delta: { content: "<b>" }, message: { content: "<b>" }, index: 0 }],
      usage: { completion_tokens: 1 },
      IsDelta: false,
      Successful: true,
      HttpStatusCode: 0,
    });
    expect(first).not.toHaveProperty(["choices", 0, "finish_reason"]);
    expect(last).toMatchObject({ choices: [{ delta: { content: "" }, finish_reason: "stop" }] });
  });
});
