import { describe, expect, test } from "vitest";
import { simulated } from "./simulated.js";
import { WireHost, type WireMessage } from "./wire-host.js";

const TEXT = "It is blue.";
const MISSING = {
  id: "talker-generic-cpu:1",
  alias: "talker",
  downloaded: false,
  sizeMb: 4915,
  script: { text: TEXT },
};

const metaWith = (elicitation: object) => ({
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "task-host", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {
    ...elicitation,
    extensions: { "io.modelcontextprotocol/tasks": {} },
  },
});
const CAN_ASK = { elicitation: {} };

/** A host with a service whose list of models is so slow that each call becomes a task. */
async function world(elicitation: object = CAN_ASK) {
  const simulator = await simulated({ dialect: "S", models: [MISSING], downloadMs: 300 });
  simulator.addFault({ kind: "hang", ms: 4000, on: { path: "/openai/models" }, times: 1 });
  const host = WireHost.open({ FOUNDRY_ENDPOINT: simulator.url, FOUNDRY_LOG_LEVEL: "warn" });
  const ask = (method: string, params: object): Promise<WireMessage> =>
    host.request(method, { ...params, _meta: metaWith(elicitation) });
  const get = async (taskId: unknown) => Object((await ask("tasks/get", { taskId })).result);
  /** The task when it has stopped working. */
  const stopped = async (taskId: unknown): Promise<Record<string, unknown>> => {
    await expect.poll(async () => (await get(taskId)).status).not.toBe("working");
    return get(taskId);
  };
  const begun = async (name: string, given: object) =>
    Object((await ask("tools/call", { name, arguments: given })).result);
  const answer = (taskId: unknown, inputResponses: object) =>
    ask("tasks/update", { taskId, inputResponses });
  const downloads = () =>
    simulator.requests.filter(({ path }) => path.startsWith("/openai/download"));
  return { ask, get, stopped, begun, answer, downloads };
}

const CALLS = [
  ["load_model", { model: "talker" }],
  ["complete", { prompt: "Why?", model: "talker" }],
] as const;

describe.each(CALLS)("a task of %s that needs an answer from the user", (name, given) => {
  test("asks at each `tasks/get`, and continues with the answer", async () => {
    const { begun, stopped, answer, get, downloads } = await world();
    const { taskId, resultType } = await begun(name, given);
    const waiting = await stopped(taskId);
    const again = await get(taskId);
    await answer(taskId, { unknown: { action: "accept" } });
    const ignored = await get(taskId);
    const acknowledged = await answer(taskId, { download: { action: "accept", content: {} } });
    const ended = await stopped(taskId);

    expect(resultType).toBe("task");
    expect(waiting).toMatchObject({
      status: "input_required",
      inputRequests: {
        download: {
          method: "elicitation/create",
          params: { mode: "form", message: "Download talker (4.8 GB)? It is not downloaded yet." },
        },
      },
    });
    expect(again["inputRequests"]).toEqual(waiting["inputRequests"]);
    expect(ignored).toMatchObject({ status: "input_required" });
    expect(acknowledged.result).toEqual(expect.objectContaining({ resultType: "complete" }));
    expect(acknowledged.result).not.toHaveProperty("taskId");
    expect(ended).toMatchObject({ status: "completed", taskId });
    expect(ended).not.toHaveProperty("inputRequests");
    expect(Object(ended["result"]).structuredContent).toMatchObject(
      name === "complete" ? { text: TEXT } : { model: MISSING.id, status: "loaded" },
    );
    expect(downloads()).toHaveLength(1);
  });

  test("fails where the user declines", async () => {
    const { begun, stopped, answer, downloads } = await world();
    const { taskId } = await begun(name, given);
    await stopped(taskId);
    await answer(taskId, { download: { action: "decline" } });
    const ended = await stopped(taskId);

    expect(ended).toMatchObject({
      status: "completed",
      result: { isError: true, content: [{ text: expect.stringContaining("user declined") }] },
    });
    expect(downloads()).toEqual([]);
  });

  test("is cancelled while it waits for the answer", async () => {
    const { ask, begun, stopped, answer, downloads } = await world();
    const { taskId } = await begun(name, given);
    await stopped(taskId);
    await ask("tasks/cancel", { taskId });
    await answer(taskId, { download: { action: "accept", content: {} } });

    expect(await stopped(taskId)).toMatchObject({ status: "cancelled" });
    expect(downloads()).toEqual([]);
  });

  test("fails without a question where the host cannot ask", async () => {
    const { begun, stopped } = await world({});
    const ended = await stopped((await begun(name, given)).taskId);
    expect(ended).toMatchObject({
      status: "completed",
      result: { isError: true, content: [{ text: expect.stringContaining("MODEL_NOT_CACHED") }] },
    });
  });
});
