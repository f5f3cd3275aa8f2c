import type { ModelOptions, SimulatorOptions } from "foundry-local-simulator";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { askedOf, clientOf, simulate, simulateFar } from "../fixtures.js";

const CHAT = "/v1/chat/completions";
const LOAD = "/models/load/";
const UNLOAD = "/models/unload/";
const HELLO = { text: "Hello there." };
const TWO: readonly ModelOptions[] = [
  { id: "two-generic-cpu:1", contextLength: 512 },
  { id: "two-generic-cpu:2", contextLength: 512 },
];
const A: ModelOptions = { id: "a-generic-cpu:1", script: HELLO, loaded: true };
/** Generates until it is stopped. */
const ENDLESS: ModelOptions = {
  ...A,
  script: { text: " on", forever: true },
  tokensPerSecond: 100,
};

/** A core 1.x whose model cache is on this machine. */
const core1 = (models: readonly ModelOptions[]) => simulate({ dialect: "C1", models });

/** A core 1.x of another machine, whose model cache cannot be read here. */
const farCore1 = (model: ModelOptions, options: SimulatorOptions = {}) =>
  simulateFar({ dialect: "C1", models: [model], ...options });

describe("on core 1.x", () => {
  it("models are listed with their versions from the disk", async () => {
    const own = { id: "My_Own.Talker:7", contextLength: 512 };
    const { url } = await core1([...TWO, own]);
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
    const simulator = await core1(TWO);
    const client = clientOf(simulator.url);
    expect(await client.loadModel(typed)).toMatchObject({
      model: "two-generic-cpu:2",
      status: "loaded",
    });
    expect(await client.loadModel(typed)).toMatchObject({ status: "already_loaded" });
    expect(askedOf(simulator, LOAD).map(({ path }) => path)).toEqual([
      "/models/load/two-generic-cpu%3A2",
    ]);
  });

  it("an older version is loaded by its id", async () => {
    const simulator = await core1(TWO);
    const loaded = await clientOf(simulator.url).loadModel("two-generic-cpu:1");
    expect([loaded.model, ...simulator.loaded]).toEqual(["two-generic-cpu:1", "two-generic-cpu:1"]);
  });

  it("a model of a remote service without known versions is loaded by name and then known by id", async () => {
    const simulator = await farCore1({ id: "far-generic-cpu:3", script: HELLO });
    const client = clientOf(simulator.url);
    const completion = await client.complete({ prompt: "Hi", model: "far-generic-cpu" });
    expect(completion).toMatchObject({ model: "far-generic-cpu:3", text: "Hello there." });
    expect(askedOf(simulator, CHAT)).toMatchObject([{ body: { model: "far-generic-cpu:3" } }]);
  });

  it("a load that fails without a message has an error that says what may help", async () => {
    const { url } = await core1([
      { id: "broken-generic-cpu:1", loadError: "Protobuf parsing failed." },
    ]);
    await expect(clientOf(url).loadModel("broken")).rejects.toMatchObject({
      code: "LOAD_FAILED",
      action: expect.stringContaining("foundry server logs"),
    });
  });

  it("a model that is not downloaded causes no load request", async () => {
    const simulator = await core1([A, { id: "cloud-generic-cpu:1", downloaded: false }]);
    await expect(clientOf(simulator.url).loadModel("cloud")).rejects.toMatchObject({
      code: "MODEL_NOT_CACHED",
      action: expect.stringContaining("foundry model download cloud"),
    });
    expect(askedOf(simulator, LOAD)).toEqual([]);
  });

  it("a completion uses the service's counts, and cuts at stop strings itself", async () => {
    const simulator = await core1([{ ...A, script: { text: "One. Two." } }]);
    const client = clientOf(simulator.url);
    const whole = await client.complete({ prompt: "Hi", model: "a" });
    const cut = await client.complete({ prompt: "Hi", model: "a", stop: [" Two"] });
    expect(whole).toMatchObject({
      text: "One. Two.",
      finishReason: "stop",
      usage: { inputTokens: 15, outputTokens: 4, estimated: false },
    });
    expect(cut).toMatchObject({ text: "One.", finishReason: "stop" });
    expect(askedOf(simulator, CHAT).map(({ body }) => body)).toEqual([
      expect.not.objectContaining({ stop: expect.anything() }),
      expect.not.objectContaining({ stop: expect.anything() }),
    ]);
  });

  it("a model whose template refuses the role system gets its text in front of the prompt", async () => {
    const simulator = await core1([A]);
    const message =
      "Failed to handle OpenAI completion: System role not supported at row 1, column 59:\n{% if messages[0]['role'] == 'system' %}";
    const on = { path: CHAT };
    simulator.addFault({ kind: "close-after", events: 0, on, times: 1 });
    simulator.addFault({
      kind: "status",
      status: 500,
      body: JSON.stringify({ error: { message, type: "server_error", code: null } }),
      contentType: "application/json",
      on,
      times: 1,
    });
    const client = clientOf(simulator.url);
    const request = { prompt: "Hi", system: "Be brief.", model: "a" };
    const first = await client.complete(request);
    const second = await client.complete(request);
    expect(first).toMatchObject({ text: "Hello there.", attempts: 3 });
    expect(first.warnings).toEqual([expect.stringContaining("refuses the role system")]);
    expect(second).toMatchObject({ text: "Hello there.", attempts: 1 });
    const joined = { stream: true, messages: [{ role: "user", content: "Be brief.\n\nHi" }] };
    expect(askedOf(simulator, CHAT).map(({ body }) => body)).toMatchObject([
      { stream: true, messages: [{ role: "system" }, { role: "user" }] },
      { messages: [{ role: "system" }, { role: "user" }] },
      joined,
      joined,
    ]);
  });

  it("a schema of which a part is refused, too, is left to the prompt", async () => {
    const simulator = await core1([{ ...A, script: { text: '{"a":"x"}' } }]);
    const on = { path: CHAT };
    const message =
      'Failed to handle OpenAI completion: Error creating grammar: Unimplemented keys: ["pattern"]';
    const body = JSON.stringify({ error: { message, type: "server_error", code: null } });
    simulator.addFault({ kind: "close-after", events: 0, on, times: 1 });
    simulator.addFault({ kind: "status", status: 500, body, on, times: 1 });
    simulator.addFault({ kind: "close-after", events: 0, on, times: 1 });
    const schema = {
      type: "object",
      properties: { a: { type: "string", pattern: "^x" } },
      required: ["a"],
    };
    const { data, method } = await clientOf(simulator.url).complete({
      prompt: "Hi",
      model: "a",
      schema,
    });
    expect({ data, method }).toEqual({ data: { a: "x" }, method: "instructed" });
    expect(askedOf(simulator, CHAT).map(({ body: sent }) => "tools" in Object(sent))).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });

  it("a stream that ends before its first event is explained by a request without streaming", async () => {
    const simulator = await farCore1({ ...A, contextLength: 512 });
    const client = clientOf(simulator.url, { retry: { retries: 0 } });
    const asking = client.complete({ prompt: "Hi", model: "a", maxTokens: 600 });
    await expect(asking).rejects.toMatchObject({
      code: "CONTEXT_LENGTH_EXCEEDED",
      message: expect.stringContaining("15 tokens and the answer may have 600"),
      attempts: 2,
    });
    expect(askedOf(simulator, CHAT).map(({ body }) => body)).toMatchObject([
      { stream: true },
      expect.not.objectContaining({ stream: true }),
    ]);
  });

  it("the default length is shortened to the context after that request, too", async () => {
    const simulator = await farCore1({ ...A, contextLength: 512 });
    const client = clientOf(simulator.url, { retry: { retries: 0 } });
    const completion = await client.complete({ prompt: "Hi", model: "a" });
    expect(completion).toMatchObject({
      text: "Hello there.",
      warnings: [expect.stringContaining("limited to 497 tokens")],
    });
  });

  it("a model that was unloaded in between is loaded again", async () => {
    const simulator = await core1([A]);
    const client = clientOf(simulator.url, { retry: { retries: 0 } });
    await client.complete({ prompt: "Hi", model: "a" });
    simulator.setLoaded(A.id, false);
    const completion = await client.complete({ prompt: "Hi", model: "a" });
    expect(completion).toMatchObject({ status: "completed", text: "Hello there." });
  });

  it("a generation that breaks off is an interruption, with its text kept", async () => {
    const simulator = await core1([{ ...A, script: { ...HELLO, failAfterTokens: 2 } }]);
    const stream = clientOf(simulator.url).streamComplete({ prompt: "Hi", model: "a" });
    const reading = (async () => {
      for await (const _ of stream) {
        // To the end.
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: "STREAM_INTERRUPTED" });
    expect(stream.snapshot()).toMatchObject({ status: "interrupted", text: "Hello there" });
  });

  it("an unreachable catalog gives an empty list with a warning, and health is degraded", async () => {
    const { url } = await farCore1(
      { ...A, loaded: false },
      { switches: { catalogAccess: "unreachable" } },
    );
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
    it("unloads a model, and reports one that was not loaded", async () => {
      const simulator = await core1([A]);
      const client = clientOf(simulator.url);
      expect(await client.unloadModel("a")).toEqual({
        model: "a-generic-cpu:1",
        status: "unloaded",
      });
      expect(await client.unloadModel("a")).toMatchObject({ status: "not_loaded" });
      expect(askedOf(simulator, UNLOAD)).toHaveLength(1);
    });

    it("is refused while a completion of this client runs, since the service would crash", async () => {
      const simulator = await core1([ENDLESS]);
      const client = clientOf(simulator.url);
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
      expect(askedOf(simulator, UNLOAD)).toEqual([]);
    });

    it("waits until a cancelled completion can no longer run in the service", async () => {
      vi.useFakeTimers({ toFake: ["performance"] });
      onTestFinished(() => {
        vi.useRealTimers();
      });
      const simulator = await core1([ENDLESS]);
      const client = clientOf(simulator.url);
      const stream = client.streamComplete({ prompt: "Hi", model: "a", maxTokens: 4000 });
      for await (const event of stream) if (event.type === "text") break;
      const controller = new AbortController();
      const early = client.unloadModel("a", { signal: controller.signal });
      await simulator.waitFor((s) => s.generating === 0);
      controller.abort();
      await expect(early).rejects.toMatchObject({ code: "CANCELLED" });
      expect(simulator.loaded).toEqual([A.id]);
      vi.advanceTimersByTime(1501);
      expect(await client.unloadModel("a")).toMatchObject({ status: "unloaded" });
    });
  });
});
