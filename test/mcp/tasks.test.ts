import type { CallToolResult } from "@modelcontextprotocol/server";
import { describe, expect, it } from "vitest";
import type { RequestContext } from "../../src/mcp/requests.js";
import { TaskCall, Tasks } from "../../src/mcp/tasks.js";

const MINUTE = 60_000;
const RESULT: CallToolResult = { content: [{ type: "text", text: "Done." }] };
const REQUEST: RequestContext = {
  envelope: {
    "io.modelcontextprotocol/clientCapabilities": {
      extensions: { "io.modelcontextprotocol/tasks": {} },
    },
  },
  signal: new AbortController().signal,
  notify: async () => {},
  send: () => Promise.reject(new Error("not of this test")),
};

/** Tasks whose clock the test sets, each of which ends when the test says so. */
function world() {
  let now = Date.UTC(2026, 6, 28);
  const tasks = new Tasks(() => now);
  const get = async (taskId: string) => await tasks.methods["tasks/get"]({ taskId }, REQUEST);
  const begin = async (id: string) => {
    let end = (_result: CallToolResult): void => {};
    let fail = (_error: Error): void => {};
    const work = new Promise<CallToolResult>((resolve, reject) => {
      end = resolve;
      fail = reject;
    });
    await tasks.answer(REQUEST.signal, 0, (task) => {
      task.identify(id);
      return work;
    });
    return { end, fail };
  };
  const pass = (ms: number): void => {
    now += ms;
  };
  return { tasks, get, begin, pass };
}

describe("a task", () => {
  it("is kept for 30 minutes after its end, whatever its duration", async () => {
    const { get, begin, pass } = world();
    const { end } = await begin("c-1");
    pass(300 * MINUTE);
    expect(await get("c-1")).toMatchObject({ status: "working", ttlMs: null });
    end(RESULT);
    await Promise.resolve();
    pass(30 * MINUTE);
    expect(await get("c-1")).toMatchObject({ status: "completed", ttlMs: 330 * MINUTE });
    pass(1);
    await expect(get("c-1")).rejects.toMatchObject({ code: -32602 });
  });

  it("is evicted when 200 later ones have ended, but not while it runs", async () => {
    const { get, begin, pass } = world();
    await begin("working");
    for (let number = 0; number <= 200; number += 1) {
      const { end } = await begin(`ended-${number}`);
      end(RESULT);
      await Promise.resolve();
      pass(1);
    }
    await expect(get("ended-0")).rejects.toMatchObject({ code: -32602 });
    expect(await get("ended-1")).toMatchObject({ status: "completed" });
    expect(await get("working")).toMatchObject({ status: "working" });
  });

  it("has the status failed where its call ended with a protocol error", async () => {
    const { get, begin } = world();
    const { fail } = await begin("c-1");
    fail(new Error("a path /home/x and a stack"));
    await expect.poll(() => get("c-1")).toMatchObject({ status: "failed" });
    expect(await get("c-1")).toMatchObject({
      error: { code: -32603, message: "foundry-local-mcp failed on this request." },
    });
  });

  it.each([
    ["a status", [{ tokens: null, message: "Waiting, place 2" }], "Waiting, place 2"],
    ["the first token", [{ tokens: 1, message: "It" }], "1 token so far: It"],
    [
      "text after a status",
      [
        { tokens: null, message: "Loading phi…" },
        { tokens: 2, message: "It is" },
        { tokens: 4, message: " blue." },
      ],
      "4 tokens so far: It is blue.",
    ],
    [
      "the end of a long text",
      [{ tokens: 500, message: `${"x".repeat(300)}🌊end` }],
      `500 tokens so far: …${"x".repeat(194)}🌊end`,
    ],
  ])("shows in its status message %s", (_what, updates, words) => {
    const task = new TaskCall(Date.now);
    for (const { tokens, message } of updates) task.note({ message }, tokens);
    expect(task.describe()).toMatchObject({ statusMessage: words });
  });
});

describe("a task that asks its host", () => {
  const form = {
    mode: "form" as const,
    message: "?",
    requestedSchema: { type: "object" as const, properties: {} },
  };
  const request = { method: "elicitation/create" as const, params: form };
  const yes = { action: "accept" as const };

  it("needs input until each of its requests has an answer", async () => {
    const task = new TaskCall(Date.now);
    const asked = task.ask({ one: request, two: request }, MINUTE);
    const both = task.describe();
    task.take({ one: yes });
    const second = task.describe();
    task.take({ one: { action: "decline" }, two: yes, three: yes });

    expect(await asked).toEqual({ one: yes, two: yes });
    expect(both).toMatchObject({ status: "input_required", inputRequests: { one: request } });
    expect(second).toMatchObject({ status: "input_required", inputRequests: { two: request } });
    expect(second["inputRequests"]).not.toHaveProperty("one");
    expect(task.describe()).toMatchObject({ status: "working" });
  });

  it("continues without an answer when the time for it is over", async () => {
    const task = new TaskCall(Date.now);
    expect(await task.ask({ one: request }, 1)).toEqual({});
    expect(task.describe()).not.toHaveProperty("inputRequests");
  });

  it("stops waiting when it is cancelled", async () => {
    const task = new TaskCall(Date.now);
    const asked = task.ask({ one: request }, MINUTE);
    task.cancel();
    await expect(asked).rejects.toMatchObject({ code: "CANCELLED" });
  });
});
