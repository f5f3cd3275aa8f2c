import type { PromptSeen, Script } from "foundry-local-simulator";
import { describe, expect, expectTypeOf, it } from "vitest";
import * as z from "zod";
import { typedTool } from "../../src/index.js";
import { chatEngine, events } from "../foundry/dialects/chat-engine.js";
import { clientOf, simulate } from "../foundry/fixtures.js";

/** A model that calls a tool with these arguments, one call after the other, and then says the last result. */
async function calling(calls: readonly object[]) {
  let asked = 0;
  const script = ({ messages }: PromptSeen): Script => {
    const given = calls[asked];
    asked += 1;
    const last = messages.at(-1)?.content ?? "";
    return given === undefined
      ? { text: `Said: ${last}` }
      : { text: `<tool_call>${JSON.stringify({ name: "add", arguments: given })}</tool_call>` };
  };
  const { url } = await simulate({ models: [{ id: "agent-generic-cpu:1", loaded: true, script }] });
  return clientOf(url);
}

/** A call in what an engine streams. */
const called = (name: string): object => ({
  tool_calls: [{ index: 0, id: "a", function: { name, arguments: "{}" } }],
});
const written = (name: string): object => ({
  content: `<tool_call>${JSON.stringify({ name, arguments: {} })}</tool_call>`,
});

const lastOf = (messages: unknown): unknown => Object(Object(messages).at(-1)).content;

const schema = z.object({
  a: z.number(),
  b: z.number().refine((value) => value >= 0, "not below 0"),
});

describe("run", () => {
  it("runs the tools with typed arguments until the model answers", async () => {
    const client = await calling([
      { a: 1, b: 2 },
      { a: 3, b: 4 },
    ]);

    const { text, rounds, messages } = await client.run({
      prompt: "Add.",
      tools: [
        typedTool({
          name: "add",
          schema,
          run: (given) => {
            expectTypeOf(given).toEqualTypeOf<{ a: number; b: number }>();
            return { sum: given.a + given.b };
          },
        }),
      ],
    });

    expect(text).toBe('Said: {"sum":7}');
    expect(rounds).toBe(3);
    expect(messages.map(({ role }) => role)).toEqual([
      "user",
      "assistant",
      "tool",
      "assistant",
      "tool",
      "assistant",
    ]);
  });

  it("keeps the calls in the conversation as the model made them", async () => {
    const client = await calling([{ a: 1 }]);

    const { messages } = await client.run({
      prompt: "Add.",
      tools: [
        {
          name: "add",
          schema: { type: "object" },
          run: (given) => {
            Object.assign(Object(given), { b: 10, itself: given });
            return "added";
          },
        },
      ],
    });

    expect(messages[1]?.tool_calls).toMatchObject([{ name: "add", arguments: { a: 1 } }]);
    expect(Object(messages[1]?.tool_calls?.[0]?.arguments)).not.toHaveProperty("b");
  });

  it("does not wait for a tool that ignores its signal", async () => {
    const client = await calling([{ a: 1, b: 2 }]);
    const stopping = new AbortController();
    const run = () => {
      stopping.abort();
      return new Promise(() => {});
    };
    const tools = [typedTool({ name: "add", schema, run })];
    await expect(
      client.run({ prompt: "Add.", tools }, { signal: stopping.signal }),
    ).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it("ends when the client is closed while a tool runs", async () => {
    const client = await calling([{ a: 1, b: 2 }]);
    let given: AbortSignal | undefined;
    const run = (_sum: unknown, { signal }: { readonly signal: AbortSignal | undefined }) => {
      given = signal;
      void client.close();
      return new Promise(() => {});
    };
    const running = client.run({ prompt: "Add.", tools: [{ name: "add", schema, run }] });
    await expect(running).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
    expect(given?.aborted).toBe(true);
  });

  it("accepts a schema that is a function, as in some libraries", async () => {
    const client = await calling([{ a: 1, b: 2 }]);
    const callable = Object.assign(() => {}, { "~standard": schema["~standard"] });
    const tool = { name: "add", schema: callable, run: () => 3 };
    expect((await client.run({ prompt: "Add.", tools: [tool] })).text).toBe("Said: 3");
  });

  it.each<[string, object, () => unknown, RegExp]>([
    [
      "a tool that fails",
      { a: 1, b: 2 },
      () => Promise.reject(new Error("The sum is secret.")),
      /Error: The sum is secret\./,
    ],
    [
      "arguments that do not fit",
      { a: "x" },
      () => 0,
      /Error: The arguments do not fit: .*a must be number/,
    ],
    [
      "arguments that fail a check of the schema's own",
      { a: 1, b: -2 },
      () => 0,
      /Error: The arguments do not fit: b: not below 0\./,
    ],
    ["a tool that returns nothing", { a: 1, b: 2 }, () => undefined, /done/],
    ["a text", { a: 1, b: 2 }, () => "three", /three/],
  ])("gives the model words for %s", async (_what, given, run, words) => {
    const client = await calling([given]);
    const { text } = await client.run({ prompt: "Add.", tools: [{ name: "add", schema, run }] });
    expect(text).toMatch(words);
  });

  it("tells the model where a result was cut off", async () => {
    const { url, chats } = await chatEngine(() => {
      const delta = chats.length === 1 ? called("add") : { content: "Long." };
      return events({ choices: [{ delta, finish_reason: "stop" }] });
    });
    const tool = { name: "add", schema: {}, run: () => "x".repeat(100_001) };

    await clientOf(url).run({ prompt: "Add.", model: "m", tools: [tool] });

    expect(lastOf(chats.at(-1)?.["messages"])).toMatch(
      /xx\n\[Cut off: these are 100000 of 100001 characters\.\]$/,
    );
  });

  it.each([
    ["blanks, structured", (name: string) => called(name), "  "],
    ["controls, structured", (name: string) => called(name), "\u0000\u200e"],
    ["blanks in the text", (name: string) => written(name), "  "],
  ])("tells the model of a call whose name is %s, and goes on", async (_what, delta, name) => {
    const { url, chats } = await chatEngine(({ messages }) => {
      const isFirst = chats.length === 1;
      return events({
        choices: [
          {
            delta: isFirst ? delta(name) : { content: `Said: ${lastOf(messages)}` },
            finish_reason: "stop",
          },
        ],
      });
    });

    const { text, rounds } = await clientOf(url).run({
      prompt: "Add.",
      model: "m",
      tools: [{ name: "add", schema, run: () => 0 }],
    });

    expect(rounds).toBe(2);
    expect(text).toBe('Said: Error: There is no tool "unknown". There are: add.');
  });

  it("keeps the prompt between the earlier messages and the calls", async () => {
    const client = await calling([{ a: 1, b: 2 }]);

    const { text, messages } = await client.run({
      messages: [
        { role: "user", content: "Hello" },
        { role: "assistant", content: "Hello, too." },
      ],
      prompt: "Add.",
      tools: [typedTool({ name: "add", schema, run: ({ a, b }) => a + b })],
    });

    expect(text).toBe("Said: 3");
    expect(messages.map(({ role, content }) => `${role}: ${content}`)).toEqual([
      "user: Hello",
      "assistant: Hello, too.",
      "user: Add.",
      "assistant: ",
      "tool: 3",
      "assistant: Said: 3",
    ]);
  });

  it("accepts a JSON Schema, too", async () => {
    const client = await calling([{ a: 5 }]);
    const tool = { name: "add", schema: { type: "object" }, run: (given: unknown) => given };
    expect((await client.run({ prompt: "Add.", tools: [tool] })).text).toBe('Said: {"a":5}');
  });

  it("ends after the maximum number of rounds, with the pending calls", async () => {
    const client = await calling(Array(20).fill({ a: 1, b: 1 }));
    let runs = 0;
    const run = (): number => (runs += 1);

    const result = await client.run({
      prompt: "Add.",
      tools: [{ name: "add", schema, run }],
      maxRounds: 3,
    });

    expect(result).toMatchObject({ rounds: 3, toolCalls: [{ name: "add" }] });
    expect(result.warnings.join()).toContain("after 3 rounds");
    expect(runs).toBe(2);
  });

  it("has the warnings of all requests, each once", async () => {
    const { url, chats } = await chatEngine(() => {
      const id = {
        content: '<tool_call>{"name":"add","arguments":{"id":9007199254740993}}</tool_call>',
      };
      const deltas = [id, id, { content: "Done." }];
      const delta = deltas[chats.length - 1];
      return events({ choices: [{ delta, finish_reason: "stop" }] });
    });
    const tool = { name: "add", schema: {}, run: () => 0 };

    const { rounds, warnings } = await clientOf(url).run({
      prompt: "Add.",
      model: "m",
      tools: [tool],
    });

    expect(rounds).toBe(3);
    expect(warnings).toEqual([expect.stringContaining("make it a string")]);
  });

  it("ends when its signal is aborted", async () => {
    const client = await calling([{ a: 1, b: 1 }]);
    const abort = new AbortController();
    const run = (): void => abort.abort();
    const running = client.run(
      { prompt: "Add.", tools: [{ name: "add", schema, run }] },
      { signal: abort.signal },
    );
    await expect(running).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it.each([{ tools: [] }, { tools: [{ name: "a" }] }, { maxRounds: 0 }])(
    "refuses %j",
    async (wrong) => {
      const client = clientOf("http://127.0.0.1:9");
      const good = { name: "add", schema: { type: "object" }, run: () => 0 };
      const asked = client.run(Object.assign({ prompt: "x", tools: [good] }, wrong));
      await expect(asked).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    },
  );
});
