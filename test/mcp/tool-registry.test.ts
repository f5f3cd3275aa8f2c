import { setImmediate } from "node:timers/promises";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { describe, expect, it, onTestFinished } from "vitest";
import * as z from "zod";
import { FoundryClient } from "../../src/jobs/index.js";
import { NOTHING_KEPT } from "../../src/keeper/index.js";
import { HostLimits } from "../../src/mcp/hosts.js";
import { Tasks } from "../../src/mcp/tasks.js";
import { defineTool } from "../../src/mcp/tool.js";
import { callHandler } from "../../src/mcp/tool-registry.js";
import { completeBatch } from "../../src/mcp/tools/complete-batch.js";
import { backendOf } from "./backend.js";
import { cacheFolder, connectedHost, simulatedService, textOf } from "./host.js";

describe("a call of a tool", () => {
  it.each([
    ["temperature", 9, "Invalid value for temperature: 9", "a number from 0 to 2"],
    [
      "max_tokens",
      "many",
      'Invalid value for max_tokens: "many"',
      "a whole number from 1 to 1000000",
    ],
    ["model", "  ", 'Invalid value for model: "  "', "an alias, a name or an id"],
    ["stop", [5], "Invalid value for stop.0: 5", "strings"],
    [
      "reply_within",
      -1,
      "Invalid value for reply_within: -1",
      "a number of seconds from 0 to 3600",
    ],
    [
      "reply_within",
      3601,
      "Invalid value for reply_within: 3601",
      "a number of seconds from 0 to 3600",
    ],
    [
      "reply_within",
      "soon",
      'Invalid value for reply_within: "soon"',
      "a number of seconds from 0 to 3600",
    ],
    ["join", "no", 'Invalid value for join: "no"', "true or false"],
  ])("reports for %s the given value and what is allowed", async (name, value, came, allowed) => {
    const { host } = await connectedHost({ endpoint: "http://127.0.0.1:9" });
    const given = { prompt: "Hello", [name]: value };
    const answer = await host.callTool({ name: "complete", arguments: given });
    expect(answer.isError).toBe(true);
    expect(textOf(answer)).toContain(came);
    expect(textOf(answer)).toContain(allowed);
  });

  it.each([{}, { prompt: "" }, { messages: [] }, { prompt: "", messages: [] }])(
    "refuses a completion without a request: %j",
    async (given) => {
      const { host } = await connectedHost({ endpoint: "http://127.0.0.1:9" });
      const answer = await host.callTool({ name: "complete", arguments: given });
      expect(textOf(answer)).toMatch(/^INVALID_ARGUMENT: Neither prompt nor messages came/);
      expect(answer.structuredContent).toBeUndefined();
    },
  );

  it("is a protocol error for invalid params with an unknown tool", async () => {
    const { host } = await connectedHost({ endpoint: "http://127.0.0.1:9" });
    await expect(host.callTool({ name: "rank" })).rejects.toMatchObject({
      code: -32602,
      message: expect.stringMatching(/no tool "rank".*complete, get_completion/),
    });
  });

  it("is the same error with arguments that are no object, or without a name", async () => {
    const { host } = await connectedHost({ endpoint: "http://127.0.0.1:9" });
    const call = (params?: Record<string, unknown>) =>
      host.request({ method: "tools/call", params }, CallToolResultSchema);
    await expect(call({ name: "complete", arguments: "Hello" })).rejects.toMatchObject({
      code: -32602,
      message: expect.stringContaining("a JSON object"),
    });
    await expect(call({ arguments: {} })).rejects.toMatchObject({ code: -32602 });
    await expect(call()).rejects.toMatchObject({ code: -32602 });
  });

  it("reports what happened, what to do and whether to retry when there is no service", async () => {
    const { host } = await connectedHost({
      endpoint: "http://127.0.0.1:9",
      retry: { retries: 0 },
    });
    const answer = await host.callTool({ name: "list_models" });
    expect(answer.isError).toBe(true);
    expect(textOf(answer)).toMatch(
      /^SERVICE_UNREACHABLE: .+\n.+\nThe same call may succeed later\.$/,
    );
  });

  it("checks health without an error, with or without a service", async () => {
    const { host } = await connectedHost({ endpoint: "http://127.0.0.1:9" });
    await host.listTools();
    const answer = await host.callTool({ name: "health_check" });
    expect(answer.isError).toBeFalsy();
    expect(answer.structuredContent).toMatchObject({
      status: "unavailable",
      problems: [{ what: expect.stringContaining("127.0.0.1:9"), fix: expect.any(String) }],
    });
  });

  // The client checks each result against the schema once it knows the list of tools.
  it.each([
    ["health_check", {}],
    ["list_models", { filter: "all", limit: 500 }],
    ["load_model", { model: "qwen2.5-0.5b" }],
    ["complete", { model: "qwen2.5-0.5b", prompt: "Hello" }],
    ["complete", { model: "qwen2.5-0.5b", prompt: "Hello", reply_within: 0 }],
    ["get_completion", {}],
    ["unload_model", { model: "qwen2.5-0.5b" }],
  ])("%s returns a result that fits its schema, and a text", async (name, given) => {
    const service = await simulatedService({ modelCachePath: await cacheFolder() });
    const { host } = await connectedHost({ endpoint: service.url });
    await host.listTools();
    const answer = await host.callTool({ name, arguments: given });
    expect(answer.isError).toBeFalsy();
    expect(answer.structuredContent).toBeTypeOf("object");
    expect(textOf(answer)).toMatch(/\w+/);
  });
});

it("answers a call only when the host has had time to read the last notification", async () => {
  let now = 0;
  const timers: { readonly at: number; readonly callback: () => void }[] = [];
  const clock = {
    now: () => now,
    after: (ms: number, callback: () => void) => {
      timers.push({ at: now + ms, callback });
      return () => {};
    },
  };
  const talks = defineTool({
    name: "talks",
    title: "Talks",
    description: "Gives one token.",
    effect: "reads",
    arguments: z.object({}),
    result: z.object({}),
    handle: async (_given, { progress }) => {
      progress.token("a");
      return { text: "a", result: {} };
    },
  });
  const client = new FoundryClient({ endpoint: "http://127.0.0.1:9" });
  onTestFinished(() => client.close());
  const backend = await backendOf({ client }).get();
  const call = callHandler([talks], backend, {
    clock,
    session: "",
    limits: new HostLimits(),
    tasks: new Tasks(),
  });
  const events: string[] = [];
  const answered = Promise.resolve(
    call(
      { name: "talks" },
      {
        _meta: { progressToken: 1 },
        signal: new AbortController().signal,
        notify: async () => void events.push("progress"),
        send: () => Promise.reject(new Error("The test asks the host for nothing.")),
      },
    ),
  ).then(() => events.push("result"));
  for (let turn = 0; turn < 10; turn++) await setImmediate();
  events.push("time passes");
  now = 60;
  for (const { at, callback } of timers) if (at <= now) callback();
  await answered;
  expect(events).toEqual(["progress", "time passes", "result"]);
});

it("returns the results of a batch again whose call was cancelled after its last notification", async () => {
  const { url } = await simulatedService();
  const client = new FoundryClient({ endpoint: url });
  onTestFinished(() => client.close());
  let handovers = 0;
  const answeredBatch = async () => {
    handovers += 1;
  };
  const backend = await backendOf({ client, kept: { ...NOTHING_KEPT, answeredBatch } }).get();
  const call = callHandler([completeBatch], backend, {
    // No time passes, so that the pause does not end.
    clock: { now: () => 0, after: () => () => {} },
    session: "",
    limits: new HostLimits(),
    tasks: new Tasks(),
  });
  const stopping = new AbortController();
  const request = {
    notify: async () => {},
    send: () => Promise.reject(new Error("The test asks the host for nothing.")),
  };
  const given = { prompts: ["Hi"], batch_id: "b" };
  const first = call(
    { name: "complete_batch", arguments: given },
    { ...request, _meta: { progressToken: 1 }, signal: stopping.signal },
  );
  await expect.poll(() => handovers).toBe(1);
  for (let turn = 0; turn < 10; turn++) await setImmediate();
  stopping.abort("Request timed out");
  void first;

  const again = await call(
    { name: "complete_batch", arguments: { batch_id: "b" } },
    { ...request, signal: new AbortController().signal },
  );
  expect(again["structuredContent"]).toMatchObject({ results: [{ status: "completed" }] });
});
