import { describe, expect, test } from "vitest";
import { httpServer } from "./http-server.js";
import { simulated } from "./simulated.js";
import { WireHost, type WireMessage } from "./wire-host.js";

const MODEL = "teller-generic-cpu:1";
const TEXT = Array.from({ length: 40 }, (_, at) => `word ${at}`).join(", ");
const EXTENSION = "io.modelcontextprotocol/tasks";

/** The `_meta` of a request without a handshake. */
const meta = (extensions: object = { [EXTENSION]: {} }) => ({
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "task-host", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": { extensions },
});
const complete = (given: object = {}) => ({
  name: "complete",
  arguments: { prompt: "Tell", model: MODEL, ...given },
});

/** A host without a handshake, with a service whose answers take some seconds. */
async function world(tokensPerSecond = 20, options: object = {}, settings = {}) {
  const simulator = await simulated({
    models: [{ id: MODEL, loaded: true, script: { text: TEXT } }],
    tokensPerSecond,
    ...options,
  });
  const host = WireHost.open({
    FOUNDRY_ENDPOINT: simulator.url,
    FOUNDRY_LOG_LEVEL: "warn",
    FOUNDRY_CONCURRENCY: "1",
    ...settings,
  });
  const ask = (method: string, params: object, _meta: object = meta()): Promise<WireMessage> =>
    host.request(method, { ...params, _meta });
  const call = async (params: object) => Object((await ask("tools/call", params)).result);
  const get = async (taskId: unknown) => Object((await ask("tasks/get", { taskId })).result);
  /** Polls until the task has ended; returns all of its states. */
  const followed = async (taskId: unknown): Promise<Record<string, unknown>[]> => {
    const heard: Record<string, unknown>[] = [];
    for (;;) {
      const task = await get(taskId);
      heard.push(task);
      if (task["status"] !== "working") return heard;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  return { simulator, host, ask, call, get, followed };
}

/** Repeats a call until it has this result. */
async function until<T>(call: () => Promise<T>, isIt: (result: T) => boolean): Promise<T> {
  const end = performance.now() + 60_000;
  for (;;) {
    const result = await call();
    if (isIt(result) || performance.now() > end) return result;
  }
}

test("the server declares the extension only to hosts without a handshake", async () => {
  const { ask } = await world();
  const { result } = await ask("server/discover", {});
  const old = await WireHost.start();
  const initialized = old.received[0]?.message.result;

  expect(result).toMatchObject({ capabilities: { extensions: { [EXTENSION]: {} } } });
  expect(initialized).not.toHaveProperty(["capabilities", "extensions", EXTENSION]);
  expect((await old.request("tasks/get", { taskId: "c-1" })).error?.code).toBe(-32601);
});

test("a longer completion becomes a task with the completion's id, its text so far, then its result", async () => {
  const { call, followed, ask } = await world();
  const created = await call(complete());
  const heard = await followed(created.taskId);
  const last = Object(heard.at(-1));
  const found = await call({
    name: "get_completion",
    arguments: { completion_ids: [created.taskId] },
  });

  expect(created).toMatchObject({
    resultType: "task",
    taskId: expect.stringMatching(/^c-/),
    status: "working",
    ttlMs: null,
    pollIntervalMs: expect.any(Number),
  });
  expect(created).not.toHaveProperty("content");
  expect(new Date(created.createdAt).toISOString()).toBe(created.createdAt);
  expect(heard.map(({ statusMessage }) => statusMessage)).toContainEqual(
    expect.stringMatching(/^\d+ tokens so far: word 0, word 1[\s\S]*word \d/),
  );
  expect(last).toMatchObject({
    resultType: "complete",
    taskId: created.taskId,
    status: "completed",
    result: { resultType: "complete", content: [{ type: "text", text: TEXT }] },
  });
  expect(last.result.structuredContent).toMatchObject({ completion_id: created.taskId });
  expect(last.ttlMs).toBeGreaterThan(30 * 60_000);
  expect(found.structuredContent).toMatchObject({ completions: [{ text: TEXT }] });
  expect(
    (await ask("tasks/update", { taskId: created.taskId, inputResponses: {} })).result,
  ).toEqual(expect.objectContaining({ resultType: "complete" }));
});

test("a call that ends in time, and a host without the extension, gets the result itself", async () => {
  const { call, ask } = await world(2000);
  // The first call waits for the service to be found. On a busy machine any call may not end in time.
  const quick = await until(
    () => call(complete({ join: false })),
    ({ resultType }) => resultType === "complete",
  );
  const slow = await world(5);
  const undeclared = await slow.ask(
    "tools/call",
    complete({ reply_within: 5 }),
    meta({ "io.modelcontextprotocol/ui": {} }),
  );

  expect(quick).toMatchObject({ resultType: "complete", content: [{ text: TEXT }] });
  expect(undeclared.result).toMatchObject({
    resultType: "complete",
    structuredContent: { status: "running" },
  });
  for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
    const refused = await ask(method, { taskId: "c-abcdef-1" }, meta({}));
    expect(refused.error).toMatchObject({
      code: -32021,
      data: { requiredCapabilities: { extensions: { [EXTENSION]: {} } } },
    });
    for (const params of [{ taskId: "c-abcdef-1" }, { taskId: 7 }, {}]) {
      expect((await ask(method, params)).error).toMatchObject({
        code: -32602,
        message: expect.stringMatching(/task/),
      });
    }
  }
});

test("reply_within decides how long a call waits: its result has the text so far", async () => {
  const { call, followed } = await world(5);
  const now = await call(complete({ reply_within: 0 }));
  const created = await call(complete({ prompt: "Another", reply_within: 5 }));
  const last = (await followed(created.taskId)).at(-1);

  expect(now).toMatchObject({ resultType: "complete", structuredContent: { text: "" } });
  expect(created).toMatchObject({ resultType: "task" });
  expect(last).toMatchObject({
    status: "completed",
    result: { structuredContent: { next_from: expect.any(Number) } },
  });
});

test("a cancelled task ends its work, and a waiting one shows its place", async () => {
  const { call, get, ask, simulator, followed } = await world(2);
  const [first, second] = await Promise.all([
    call(complete()),
    call(complete({ prompt: "Another" })),
  ]);
  const waiting = await get(second.taskId);
  const cancelled = await ask("tasks/cancel", { taskId: first.taskId });
  const heard = await followed(first.taskId);
  await simulator.waitFor(({ requests }) =>
    requests.some(
      ({ path, endedBy }) => path.endsWith("/completions") && endedBy === "client-gone",
    ),
  );
  await ask("tasks/cancel", { taskId: second.taskId });

  expect(waiting.statusMessage).toMatch(/place 1/);
  expect(cancelled.result).toMatchObject({ resultType: "complete" });
  expect(heard.at(-1)).toMatchObject({ status: "cancelled", taskId: first.taskId });
  expect(heard.at(-1)).not.toHaveProperty("result");
  expect((await followed(second.taskId)).at(-1)).toMatchObject({ status: "cancelled" });
});

test("cancelling one of two calls that share a completion leaves it to the other", async () => {
  const { call, ask, followed } = await world(10);
  const given = complete({ temperature: 0 });
  const [first, second] = await Promise.all([call(given), call(given)]);
  await ask("tasks/cancel", { taskId: first.taskId });
  const last = (await followed(second.taskId)).at(-1);

  expect(second.taskId).toBe(first.taskId);
  expect(last).toMatchObject({
    status: "completed",
    result: { structuredContent: { text: TEXT } },
  });
});

test("a failure is the result of its task", async () => {
  const script = { text: TEXT, failAfterTokens: 30 };
  const { call, followed } = await world(5, {
    models: [{ id: MODEL, loaded: true, script }],
  });
  const last = (await followed((await call(complete())).taskId)).at(-1);

  expect(last).toMatchObject({
    status: "completed",
    result: { isError: true, structuredContent: { status: "interrupted" } },
  });
});

test("a batch and a load are tasks, too", async () => {
  const late = { id: "late-generic-cpu:1", loadMs: 5000 };
  const { call, followed } = await world(30, {
    models: [{ id: MODEL, loaded: true, script: { text: TEXT } }, late],
  });
  const batch = await call({
    name: "complete_batch",
    arguments: { prompts: ["One", "Two", "Three"], model: MODEL },
  });
  const ofBatch = await followed(batch.taskId);
  const load = await call({ name: "load_model", arguments: { model: "late" } });
  const ofLoad = await followed(load.taskId);

  expect(batch.taskId).toMatch(/^b-/);
  expect(ofBatch.map(({ statusMessage }) => statusMessage)).toContainEqual(
    expect.stringMatching(/of 3/),
  );
  expect(ofBatch.at(-1)).toMatchObject({
    status: "completed",
    result: { structuredContent: { batch_id: batch.taskId, pending: [] } },
  });
  expect(ofLoad.map(({ statusMessage }) => statusMessage)).toContainEqual(
    expect.stringMatching(/^Loading late/),
  );
  expect(ofLoad.at(-1)).toMatchObject({
    status: "completed",
    result: { structuredContent: { status: "loaded" } },
  });
});

test("two calls for one batch are two tasks, which lose no result", async () => {
  const { call, followed } = await world(30);
  const prompts = ["One", "Two", "Three"];
  const begun = await call({ name: "complete_batch", arguments: { prompts, model: MODEL } });
  const joined = await call({ name: "complete_batch", arguments: { batch_id: begun.taskId } });
  const ends = [(await followed(begun.taskId)).at(-1), (await followed(joined.taskId)).at(-1)];
  const results = ends.flatMap((end) => Object(end).result.structuredContent.results);

  expect(joined.taskId).not.toBe(begun.taskId);
  expect(results.map(({ index }) => index).sort()).toEqual([0, 1, 2]);
});

test("the task that a request of 2025-11-25 asks for is ignored", async () => {
  const { simulator } = await world(2000);
  const host = await WireHost.start({ FOUNDRY_ENDPOINT: simulator.url });
  const { result } = await host.request("tools/call", { ...complete(), task: { ttl: 60_000 } });
  expect(result).toMatchObject({ structuredContent: { text: TEXT } });
  expect(result).not.toHaveProperty("task");
});

test("progress is sent until the call is answered with a task, and not afterwards", async () => {
  const { host, followed } = await world();
  const token = "t";
  const call = host.send("tools/call", {
    ...complete(),
    _meta: { ...meta(), progressToken: token },
  });
  const created = Object((await host.answerTo(call)).result);
  const heard = host.progressOf(token).length;
  await followed(created.taskId);

  expect(heard).toBeGreaterThan(0);
  expect(host.progressOf(token)).toHaveLength(heard);
});

describe("over HTTP", () => {
  test("a later request finds the task of an earlier request", async () => {
    const { url } = await simulated({
      models: [{ id: MODEL, loaded: true, script: { text: TEXT } }],
      tokensPerSecond: 20,
    });
    const server = await httpServer(url);
    let id = 0;
    const ask = async (method: string, name: string, params: object) => {
      id += 1;
      const response = await fetch(server.url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          "mcp-protocol-version": "2026-07-28",
          "mcp-method": method,
          "mcp-name": name,
        },
        body: JSON.stringify({ jsonrpc: "2.0", id, method, params: { ...params, _meta: meta() } }),
      });
      const body = await response.text();
      const data = /^data: (.*)$/m.exec(body)?.[1] ?? body;
      return Object(Object(JSON.parse(data)).result);
    };
    const created = await ask("tools/call", "complete", complete());
    const { taskId } = created;
    await expect
      .poll(() => ask("tasks/get", taskId, { taskId }))
      .toMatchObject({ status: "completed", result: { content: [{ text: TEXT }] } });
    expect(created).toMatchObject({ resultType: "task" });
  });
});
