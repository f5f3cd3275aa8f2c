import { describe, expect, it } from "vitest";
import type { CompletionEvent } from "../../../src/foundry/index.js";
import { chatEngine, hello, json } from "../dialects/chat-engine.js";
import { askedOf, clientOf, simulate } from "../fixtures.js";

const CHAT = "/v1/chat/completions";
const talker = {
  id: "talker-generic-cpu:1",
  alias: "talker",
  loaded: true,
  script: { text: "Hello." },
};

describe("a model that another client unloaded", () => {
  it("is reported as loading and then as running once more", async () => {
    const simulator = await simulate({ models: [talker] });
    const client = clientOf(simulator.url);
    await client.complete({ prompt: "Hi", model: "talker" });
    simulator.setLoaded(talker.id, false);
    const told: CompletionEvent[] = [];
    for await (const event of client.streamComplete({ prompt: "Hi", model: "talker" })) {
      if (event.type === "status") told.push(event);
    }
    expect(told).toEqual([
      { type: "status", status: "running", model: talker.id },
      { type: "status", status: "loading", model: talker.id },
      { type: "status", status: "running", model: talker.id },
    ]);
  });

  it("can be cancelled while it is loading", async () => {
    const simulator = await simulate({ models: [talker] });
    const client = clientOf(simulator.url);
    await client.complete({ prompt: "Hi", model: "talker" });
    simulator.setLoaded(talker.id, false);
    const stream = client.streamComplete({ prompt: "Hi", model: "talker" });
    for await (const event of stream) {
      if (event.type === "status" && event.status === "loading") break;
    }
    expect(stream.snapshot().status).toBe("cancelled");
    expect(askedOf(simulator, "/models/load/")).toEqual([]);
  });
});

describe("attempts", () => {
  it("are summed over repaired failures", async () => {
    const simulator = await simulate({ models: [talker] });
    const client = clientOf(simulator.url);
    await client.complete({ prompt: "Hi", model: "talker" });
    simulator.setLoaded(talker.id, false);
    simulator.addFault({ kind: "status", status: 503, on: { path: CHAT }, times: 1 });
    const asked = askedOf(simulator, CHAT).length;
    const completion = await client.complete({ prompt: "Hi", model: "talker" });
    expect(completion).toMatchObject({ status: "completed", attempts: 3 });
    expect(askedOf(simulator, CHAT)).toHaveLength(asked + 3);
  });

  it("are also summed where the last one failed", async () => {
    const simulator = await simulate({ models: [talker] });
    const body = JSON.stringify({ error: { message: "Model not loaded: it must be" } });
    simulator.addFault({ kind: "status", status: 400, body, on: { path: CHAT } });
    const stream = clientOf(simulator.url).streamComplete({ prompt: "Hi", model: "talker" });
    const events = stream[Symbol.asyncIterator]();
    const reading = (async () => {
      while ((await events.next()).done !== true) {
        // To the end.
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: "MODEL_NOT_LOADED" });
    expect(stream.snapshot().attempts).toBe(2);
  });

  it("include those of a model that could not be used", async () => {
    const unknown = { error: { message: "model 'm' not found" } };
    const engine = await chatEngine((body) =>
      body["model"] === "m" ? json(unknown, 404) : hello(body),
    );
    const client = clientOf(engine.url);
    const completion = await client.complete({ prompt: "Hi", models: ["m", "other"] });
    expect(completion).toMatchObject({ text: "Hello", attempts: 2 });
    expect(engine.chats).toHaveLength(2);
  });
});

describe("a chat that was cancelled before it was sent", () => {
  it("does not delay an unload, as the service never got it", { timeout: 9000 }, async () => {
    const simulator = await simulate({ dialect: "C1", models: [{ ...talker, loaded: false }] });
    const client = clientOf(simulator.url);
    await client.loadModel("talker-generic-cpu");
    const controller = new AbortController();
    const reading = (async () => {
      const request = { prompt: "Hi", model: "talker-generic-cpu" };
      for await (const event of client.streamComplete(request, { signal: controller.signal })) {
        if (event.type === "status" && event.status === "running") controller.abort();
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: "CANCELLED" });
    expect(askedOf(simulator, CHAT)).toEqual([]);
    // A delayed unload would take ten seconds, which exceeds the timeout of this test.
    expect(await client.unloadModel("talker-generic-cpu")).toMatchObject({ status: "unloaded" });
  });
});
