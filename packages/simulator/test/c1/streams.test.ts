import { describe, expect, it } from "vitest";
import { dataOf, jsonOf } from "../ask.js";
import { chat, core1, TALKER } from "./ask.js";

describe("a client that leaves C1", () => {
  it.each([
    { stream: true, leaving: { leaveAfterChunks: 3 } },
    { stream: false, leaving: { leaveAfterMilliseconds: 100 } },
  ])("stops its generation, streamed: $stream", async ({ stream, leaving }) => {
    await using simulator = await core1({ tokensPerSecond: 40 });
    // Far more than it can give before it is left, on the busiest machine.
    await chat(simulator, { stream, max_tokens: 600 }, leaving);
    const request = await simulator.waitFor((s) => s.requests.find((r) => r.endedBy !== null));
    await simulator.waitFor((s) => s.generating === 0);
    expect(request.endedBy).toBe("client-gone");
    expect(request.tokensGenerated).toBeLessThan(600);
  });

  it("does not, where the switch says so", async () => {
    await using simulator = await core1({
      tokensPerSecond: 100,
      switches: { stopsWhenLeft: false },
    });
    await chat(simulator, { stream: true, max_tokens: 20 }, { leaveAfterChunks: 2 });
    await simulator.waitFor((s) => s.requests.some((r) => r.tokensGenerated === 20));
  });
});

describe("a stream of C1", () => {
  it("has its head with the first token", async () => {
    await using simulator = await core1({ firstTokenMs: 3000 });
    const answer = await chat(simulator, { stream: true }, { leaveAfterMilliseconds: 100 });
    expect(answer).toEqual({ chunks: [], connection: "closed by the client" });
  });

  it("comes in turn with others", async () => {
    await using simulator = await core1({ tokensPerSecond: 10 });
    const streams = [1, 2, 3].map(() => chat(simulator, { stream: true, max_tokens: 20 }));
    await simulator.waitFor(
      (s) => s.requests.filter(({ tokensSent }) => tokensSent > 1).length === 3,
    );
    expect(simulator.requests.every(({ endedBy }) => endedBy === null)).toBe(true);
    for (const { chunks } of await Promise.all(streams)) expect(chunks).toHaveLength(22);
  });

  it("says everything twice and counts every time, in its own spelling", async () => {
    const script = { tokens: ["<b>", "“ü”+'"] };
    await using simulator = await core1({ models: [{ ...TALKER, script }] });
    const answer = await chat(simulator, { stream: true, max_tokens: 9 });
    expect(answer.chunks[1]).toContain(
      '"delta":{"role":"assistant","content":"\\u201C\\u00FC\\u201D\\u002B\\u0027","tool_calls":[]},"message":{',
    );
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

describe("a call of a tool without a script, on C1", () => {
  const tools = [
    {
      type: "function",
      function: {
        name: "get_weather",
        parameters: { type: "object", properties: { city: { type: "string" } } },
      },
    },
  ];
  const models = [{ id: "caller-generic-cpu:1", toolCalling: true, loaded: true }];
  const asked = {
    model: "caller",
    max_tokens: 200,
    tools,
    messages: [{ role: "user", content: "Use get_weather." }],
  };

  it("is structured, and its text stays", async () => {
    await using simulator = await core1({ models });
    expect(jsonOf(await chat(simulator, asked))).toMatchObject({
      model: "caller",
      choices: [
        {
          finish_reason: "tool_calls",
          message: {
            content: expect.stringMatching(/^<tool_call>\n.*\n<\/tool_call>$/s),
            tool_calls: [
              {
                index: 0,
                id: expect.stringMatching(/^[0-9A-Za-z]{9}$/),
                function: { name: "get_weather", arguments: '{\n  "city": "simulated"\n}' },
              },
            ],
          },
        },
      ],
    });
  });

  it("is text alone on revisions that structure only what is required", async () => {
    await using simulator = await core1({
      models,
      switches: { toolCalls: "required_only", toolArguments: "object" },
    });
    expect(jsonOf(await chat(simulator, asked))).toMatchObject({
      choices: [{ finish_reason: "stop", message: { tool_calls: [] } }],
    });
    expect(jsonOf(await chat(simulator, { ...asked, tool_choice: "required" }))).toMatchObject({
      choices: [{ message: { tool_calls: [{ function: { arguments: { city: "simulated" } } }] } }],
    });
    const streamed = await chat(simulator, { ...asked, tool_choice: "required", stream: true });
    expect(streamed.chunks.join("")).not.toContain('"function"');
  });
});
