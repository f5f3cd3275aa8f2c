import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { clientOf } from "../fixtures.js";
import { core1Service } from "./core1-service.js";

/** A model cache that holds these models. */
async function cacheWith(...ids: readonly string[]): Promise<string> {
  const cache = await mkdtemp(join(tmpdir(), "core1-"));
  onTestFinished(() => rm(cache, { recursive: true }));
  for (const id of ids) {
    const folder = join(cache, "Example", id.replace(":", "-"));
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "inference_model.json"), JSON.stringify({ Name: id }));
    await writeFile(join(folder, "genai_config.json"), '{"search":{"max_length":512}}');
  }
  return cache;
}

describe("on core 1.x", () => {
  it("models are listed with the versions that the disk tells", async () => {
    const models = ["two-generic-cpu:1", "two-generic-cpu:2", "My_Own.Talker:7"];
    const { url } = await core1Service({ models, modelDirPath: await cacheWith(...models) });
    const list = await clientOf(url).listModels();
    expect(
      list.models.map(({ id, alias, downloaded, loaded, contextLength }) => ({
        id,
        alias,
        downloaded,
        loaded,
        contextLength,
      })),
    ).toEqual([
      {
        id: "two-generic-cpu:2",
        alias: "two",
        downloaded: true,
        loaded: false,
        contextLength: 512,
      },
      {
        id: "two-generic-cpu:1",
        alias: "two",
        downloaded: true,
        loaded: false,
        contextLength: 512,
      },
      {
        id: "My_Own.Talker:7",
        alias: "My_Own.Talker",
        downloaded: true,
        loaded: false,
        contextLength: 512,
      },
    ]);
  });

  it.each([
    ["alias", "two"],
    ["name", "two-generic-cpu"],
    ["id", "TWO-generic-cpu:2"],
  ])("a model is loaded by %s, and its id sent percent-encoded", async (_what, typed) => {
    const models = ["two-generic-cpu:1", "two-generic-cpu:2"];
    const service = await core1Service({ models, modelDirPath: await cacheWith(...models) });
    const client = clientOf(service.url);
    expect(await client.loadModel(typed)).toMatchObject({
      model: "two-generic-cpu:2",
      status: "loaded",
    });
    expect(await client.loadModel(typed)).toMatchObject({ status: "already_loaded" });
    expect(service.asked.filter((line) => line.includes("/load/"))).toEqual([
      "GET /models/load/two-generic-cpu%3A2",
    ]);
  });

  it("an older version is loaded by its id", async () => {
    const models = ["two-generic-cpu:1", "two-generic-cpu:2"];
    const service = await core1Service({ models, modelDirPath: await cacheWith(...models) });
    const loaded = await clientOf(service.url).loadModel("two-generic-cpu:1");
    expect([loaded.model, ...service.loaded]).toEqual(["two-generic-cpu:1", "two-generic-cpu:1"]);
  });

  it("far away, where no version is known, a model is loaded by name and then known by id", async () => {
    const service = await core1Service({ models: ["far-generic-cpu:3"] });
    const client = clientOf(service.url);
    const completion = await client.complete({ prompt: "Hi", model: "far-generic-cpu" });
    expect(completion).toMatchObject({ model: "far-generic-cpu:3", text: "Hello there." });
    expect(service.chats).toMatchObject([{ model: "far-generic-cpu:3" }]);
  });

  it("a load that fails without a word says what may help", async () => {
    const models = ["broken-generic-cpu:1"];
    const { url } = await core1Service({
      models,
      broken: models,
      modelDirPath: await cacheWith(...models),
    });
    await expect(clientOf(url).loadModel("broken")).rejects.toMatchObject({
      code: "LOAD_FAILED",
      action: expect.stringContaining("foundry server logs"),
    });
  });

  it("a model that is not downloaded is not even tried", async () => {
    const cache = await cacheWith("here-generic-cpu:1");
    const catalog = { models: [{ id: "cloud-generic-cpu:1", alias: "cloud" }] };
    await writeFile(join(cache, "foundry.modelinfo.json"), JSON.stringify(catalog));
    const service = await core1Service({ models: ["here-generic-cpu:1"], modelDirPath: cache });
    await expect(clientOf(service.url).loadModel("cloud")).rejects.toMatchObject({
      code: "MODEL_NOT_CACHED",
      action: expect.stringContaining("foundry model download cloud"),
    });
    expect(service.asked.filter((line) => line.includes("/load/"))).toEqual([]);
  });

  it("a completion counts what the service counts, and cuts at stop strings itself", async () => {
    const service = await core1Service({
      models: ["a-generic-cpu:1"],
      tokens: ["One", ".", " Two", "."],
    });
    service.loaded.add("a-generic-cpu:1");
    const client = clientOf(service.url);
    const whole = await client.complete({ prompt: "Hi", model: "a" });
    const cut = await client.complete({ prompt: "Hi", model: "a", stop: [" Two"] });
    expect(whole).toMatchObject({
      text: "One. Two.",
      finishReason: "stop",
      usage: { inputTokens: 9, outputTokens: 4, estimated: false },
    });
    expect(cut).toMatchObject({ text: "One.", finishReason: "stop" });
    expect(service.chats).toEqual([
      expect.not.objectContaining({ stop: expect.anything() }),
      expect.not.objectContaining({ stop: expect.anything() }),
    ]);
  });

  it("a stream that ends before it began is explained by asking in one piece", async () => {
    const service = await core1Service({ models: ["small-generic-cpu:1"], contextLength: 512 });
    service.loaded.add("small-generic-cpu:1");
    const client = clientOf(service.url, { retry: { retries: 0 } });
    const asking = client.complete({ prompt: "Hi", model: "small", maxTokens: 600 });
    await expect(asking).rejects.toMatchObject({
      code: "CONTEXT_LENGTH_EXCEEDED",
      message: expect.stringContaining("9 tokens and the answer may have 600"),
    });
    expect(service.chats).toMatchObject([
      { stream: true },
      expect.not.objectContaining({ stream: true }),
    ]);
  });

  it("our default length is shortened to the context there, too", async () => {
    const service = await core1Service({ models: ["small-generic-cpu:1"], contextLength: 512 });
    service.loaded.add("small-generic-cpu:1");
    const client = clientOf(service.url, { retry: { retries: 0 } });
    const completion = await client.complete({ prompt: "Hi", model: "small" });
    expect(completion).toMatchObject({
      text: "Hello there.",
      warnings: [expect.stringContaining("limited to 503 tokens")],
    });
  });

  it("a model that was unloaded in between is loaded again", async () => {
    const service = await core1Service({ models: ["a-generic-cpu:1"] });
    const client = clientOf(service.url, { retry: { retries: 0 } });
    await client.complete({ prompt: "Hi", model: "a" });
    service.loaded.clear();
    const completion = await client.complete({ prompt: "Hi", model: "a" });
    expect(completion).toMatchObject({ status: "completed", text: "Hello there." });
  });

  it("a generation that breaks off is interrupted, with its text kept", async () => {
    const service = await core1Service({ models: ["a-generic-cpu:1"], failsAfter: 2 });
    service.loaded.add("a-generic-cpu:1");
    const stream = clientOf(service.url).streamComplete({ prompt: "Hi", model: "a" });
    const reading = (async () => {
      for await (const _ of stream) {
        // To the end.
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: "STREAM_INTERRUPTED" });
    expect(stream.snapshot()).toMatchObject({ status: "interrupted", text: "Hello there" });
  });

  it("a list that cannot be had offline is empty with a warning, and health says degraded", async () => {
    const { url } = await core1Service({ models: ["a-generic-cpu:1"], offline: true });
    const client = clientOf(url);
    expect(await client.listModels()).toMatchObject({
      models: [],
      defaultModel: null,
      warning: expect.stringContaining("catalog cannot be reached"),
    });
    expect(await client.healthCheck()).toMatchObject({
      status: "degraded",
      dialect: "C1",
      problems: expect.arrayContaining([
        { what: expect.stringContaining("catalog cannot be reached"), fix: expect.any(String) },
      ]),
    });
  });

  describe("unloading", () => {
    it("takes a model out of memory, and says so of one that was not in it", async () => {
      const service = await core1Service({ models: ["a-generic-cpu:1"] });
      service.loaded.add("a-generic-cpu:1");
      const client = clientOf(service.url);
      expect(await client.unloadModel("a")).toEqual({
        model: "a-generic-cpu:1",
        status: "unloaded",
      });
      expect(await client.unloadModel("a")).toMatchObject({ status: "not_loaded" });
      expect(service.asked.filter((line) => line.includes("/unload/"))).toHaveLength(1);
    });

    it("is refused while a completion of ours runs, since the service dies of it", async () => {
      const service = await core1Service({ models: ["a-generic-cpu:1"], tokens: null });
      service.loaded.add("a-generic-cpu:1");
      const client = clientOf(service.url);
      const stream = client.streamComplete({ prompt: "Hi", model: "a", maxTokens: 4000 });
      for await (const event of stream) {
        if (event.type !== "text") continue;
        await expect(client.unloadModel("a")).rejects.toMatchObject({
          code: "MODEL_BUSY",
          action: "Wait until it has ended, or cancel it, then try again.",
          retryable: true,
        });
        break;
      }
      expect(service.asked.filter((line) => line.includes("/unload/"))).toEqual([]);
    });

    it("waits until a completion that was left can run no more", async () => {
      vi.useFakeTimers({ toFake: ["performance"] });
      onTestFinished(() => {
        vi.useRealTimers();
      });
      const service = await core1Service({ models: ["a-generic-cpu:1"], tokens: null });
      service.loaded.add("a-generic-cpu:1");
      const client = clientOf(service.url);
      const stream = client.streamComplete({ prompt: "Hi", model: "a", maxTokens: 4000 });
      for await (const event of stream) if (event.type === "text") break;
      const controller = new AbortController();
      const early = client.unloadModel("a", { signal: controller.signal });
      await vi.waitUntil(() => service.left === 1);
      controller.abort();
      await expect(early).rejects.toMatchObject({ code: "CANCELLED" });
      expect(service.loaded.size).toBe(1);
      vi.advanceTimersByTime(1501);
      expect(await client.unloadModel("a")).toMatchObject({ status: "unloaded" });
    });
  });
});
