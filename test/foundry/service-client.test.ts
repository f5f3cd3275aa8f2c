import { describe, expect, it } from "vitest";
import { FoundryClient } from "../../src/jobs/index.js";
import { temporaryFolder } from "../temporary-folder.js";
import { askedOf, clientOf, simulate } from "./fixtures.js";

const CHAT = "/v1/chat/completions";

describe("the default model", () => {
  it("is phi-4-mini when it is downloaded, without a note", async () => {
    const simulator = await simulate();
    const client = clientOf(simulator.url);
    const completion = await client.complete({ prompt: "Hi" });
    expect(completion).toMatchObject({
      model: "Phi-4-mini-instruct-generic-cpu:5",
      warnings: [],
    });
    expect((await client.listModels()).defaultModel).toBe("Phi-4-mini-instruct-generic-cpu:5");
  });

  it("is the loaded model otherwise, and the result says which and why", async () => {
    const simulator = await simulate({
      models: [
        { id: "first-generic-cpu:1" },
        { id: "Phi-4-mini-instruct-generic-cpu:5", alias: "phi-4-mini", downloaded: false },
        { id: "second-generic-cpu:1", loaded: true },
      ],
    });
    const { model, warnings } = await clientOf(simulator.url).complete({ prompt: "Hi" });
    expect(model).toBe("second-generic-cpu:1");
    expect(warnings).toEqual([
      "Used second-generic-cpu:1: no model was asked for, the default phi-4-mini is not downloaded, and it is the model that is loaded. Name a model, or set the option `model`, to choose.",
    ]);
  });

  it("is the first downloaded one that can chat when none is loaded", async () => {
    const simulator = await simulate({
      models: [
        { id: "a-cloud-generic-cpu:1", downloaded: false },
        { id: "b-embedder-generic-cpu:1", task: "embeddings" },
        { id: "c-talker-generic-cpu:1" },
      ],
    });
    const { model, warnings } = await clientOf(simulator.url).complete({ prompt: "Hi" });
    expect(model).toBe("c-talker-generic-cpu:1");
    expect(warnings).toEqual([expect.stringContaining("first downloaded model that can chat")]);
  });

  it("is the one of the option `model`, by any name", async () => {
    const simulator = await simulate();
    const client = clientOf(simulator.url, { model: "Qwen2.5-0.5B" });
    expect((await client.listModels()).defaultModel).toBe("qwen2.5-0.5b-instruct-generic-cpu:4");
    expect(await client.complete({ prompt: "Hi" })).toMatchObject({
      model: "qwen2.5-0.5b-instruct-generic-cpu:4",
      warnings: [],
    });
  });

  it("is null in the list where no model is downloaded, and a completion says what to do", async () => {
    const simulator = await simulate({
      models: [{ id: "cloud-generic-cpu:1", downloaded: false }],
    });
    const client = clientOf(simulator.url);
    expect(await client.listModels()).toMatchObject({ defaultModel: null });
    await expect(client.complete({ prompt: "Hi" })).rejects.toMatchObject({
      code: "MODEL_NOT_CACHED",
      action: expect.stringContaining("foundry model download"),
    });
  });
});

describe("FoundryClient", () => {
  it("lists a real catalog with the known values of each model", async () => {
    const simulator = await simulate();
    const { models } = await clientOf(simulator.url).listModels();
    const phi = models.find(({ id }) => id === "Phi-4-mini-instruct-generic-cpu:5");
    expect(phi).toEqual({
      id: "Phi-4-mini-instruct-generic-cpu:5",
      family: "public",
      name: "Phi-4-mini-instruct-generic-cpu",
      version: 5,
      alias: "phi-4-mini",
      downloaded: true,
      loaded: false,
      sizeMb: 4915,
      device: "cpu",
      executionProvider: "CPUExecutionProvider",
      task: "chat-completion",
      contextLength: 131_072,
      maxOutputTokens: 2048,
      toolCalling: true,
      vision: null,
      license: "MIT",
    });
    expect(models.filter(({ downloaded }) => downloaded === true)).toHaveLength(4);
  });

  it("refuses invalid arguments before any request", async () => {
    const simulator = await simulate();
    const client = clientOf(simulator.url);
    await expect(client.complete({ prompt: "" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    expect(() => client.streamComplete({})).toThrowError(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
    expect(simulator.requests).toEqual([]);
  });

  it("accepts a prompt of 5 MB", async () => {
    const simulator = await simulate({
      models: [
        { id: "talker-generic-cpu:1", alias: "talker", loaded: true, contextLength: 10_000_000 },
      ],
    });
    const prompt = "word ".repeat(1024 * 1024);
    const completion = await clientOf(simulator.url).complete({ prompt, model: "talker" });
    expect(completion.status).toBe("completed");
    expect(askedOf(simulator, CHAT)[0]?.body).toMatchObject({ messages: [{ content: prompt }] });
  });

  it("without a Foundry Local fails with how to install it, in each method", async () => {
    const home = await temporaryFolder("foundry-local-mcp-nobody-");
    const machine = { platform: "linux", arch: "x64", environment: { PATH: home }, home } as const;
    const client = new FoundryClient({ embedded: false }, machine);
    const error = { code: "NO_ENDPOINT", action: expect.stringContaining("the option `endpoint`") };
    await expect(client.listModels()).rejects.toMatchObject(error);
    await expect(client.loadModel("phi-4")).rejects.toMatchObject(error);
    await expect(client.unloadModel("phi-4")).rejects.toMatchObject(error);
    await expect(client.complete({ prompt: "Hi" })).rejects.toMatchObject(error);
    expect(await client.healthCheck()).toMatchObject({
      status: "unavailable",
      endpoint: null,
      foundBy: null,
      problems: [{ what: expect.stringContaining("Foundry Local"), fix: expect.any(String) }],
    });
    await client.close();
  });

  it("when closed rejects running calls with CLIENT_CLOSED, in any phase", async () => {
    const simulator = await simulate({
      models: [
        { id: "slow-generic-cpu:1", alias: "slow" },
        {
          id: "endless-generic-cpu:1",
          alias: "endless",
          loaded: true,
          script: { text: "on ", forever: true },
        },
      ],
      tokensPerSecond: 200,
    });
    const client = clientOf(simulator.url);
    const stream = client.streamComplete({ prompt: "Hi", model: "endless" });
    const reading = (async () => {
      for await (const _ of stream) {
        // To the end.
      }
    })();
    await simulator.waitFor(() => stream.snapshot().text.length > 5);
    simulator.addFault({ kind: "hang", on: { path: "/models/load/*" } });
    const loading = client.loadModel("slow");
    await simulator.waitFor(() => askedOf(simulator, "/models/load/").length === 1);
    const ended = Promise.allSettled([reading, loading]);
    await client.close();
    expect(await ended).toMatchObject([
      { status: "rejected", reason: { code: "CLIENT_CLOSED" } },
      { status: "rejected", reason: { code: "CLIENT_CLOSED" } },
    ]);
    expect(stream.snapshot()).toMatchObject({ status: "cancelled" });
    await simulator.waitFor(({ generating }) => generating === 0);
  });

  it("refuses later calls at once when it is closed", async () => {
    const simulator = await simulate();
    const client = clientOf(simulator.url);
    await client.listModels();
    await client.close();
    await client.close();
    await expect(client.listModels()).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
    await expect(client.complete({ prompt: "Hi" })).rejects.toMatchObject({
      code: "CLIENT_CLOSED",
    });
    expect(await client.healthCheck()).toMatchObject({ status: "unavailable" });
  });
});
