import { describe, expect, it } from "vitest";
import { askedOf, clientOf, roomyMachine, simulate, simulateFar } from "../fixtures.js";

const talker = { id: "talker-generic-cpu:1", alias: "talker" };

describe("loading a model", () => {
  it("waits until the model is in memory, and returns how long that took", async () => {
    const simulator = await simulate({ models: [talker], loadMs: 60 });
    const { status, elapsedMs } = await clientOf(simulator.url).loadModel("talker");
    expect([status, simulator.loaded]).toEqual(["loaded", ["talker-generic-cpu:1"]]);
    expect(elapsedMs).toBeGreaterThanOrEqual(59);
  });

  it("reports a model that was already loaded", async () => {
    const simulator = await simulate({ models: [{ ...talker, loaded: true }] });
    expect(await clientOf(simulator.url).loadModel("talker")).toMatchObject({
      model: "talker-generic-cpu:1",
      status: "already_loaded",
    });
  });

  it("is shared by twenty concurrent callers, whatever name they use", async () => {
    const simulator = await simulate({ models: [talker], loadMs: 30 });
    const client = clientOf(simulator.url);
    const names = ["talker", "Talker-generic-cpu", "talker-generic-cpu:1", "TALKER"];
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) => client.loadModel(names[index % 4] ?? "talker")),
    );
    expect(new Set(results.map(({ model, status }) => `${model} ${status}`))).toEqual(
      new Set(["talker-generic-cpu:1 loaded"]),
    );
    expect(askedOf(simulator, "/models/load/")).toHaveLength(1);
  });

  const unkeptPromise = {
    kind: "status",
    status: 200,
    body: '{"status":"loaded"}',
    contentType: "application/json",
    on: { path: "/models/load/*" },
  } as const;

  it("is repeated when the model is gone before it was listed as loaded", async () => {
    const simulator = await simulate({ models: [talker] });
    simulator.addFault({ ...unkeptPromise, times: 1 });
    const { status } = await clientOf(simulator.url).loadModel("talker");
    expect([status, simulator.loaded]).toEqual(["loaded", ["talker-generic-cpu:1"]]);
  });

  it("fails when the model is never listed as loaded", async () => {
    const simulator = await simulate({ models: [talker] });
    simulator.addFault(unkeptPromise);
    await expect(clientOf(simulator.url).loadModel("talker")).rejects.toMatchObject({
      code: "LOAD_FAILED",
      message: expect.stringContaining("does not list it among the loaded models"),
    });
    expect(askedOf(simulator, "/models/load/")).toHaveLength(2);
  });

  it("fails for all callers that share it, and can be repeated", async () => {
    const simulator = await simulate({ models: [talker] });
    const body = '{"error":{"message":"Load failed: no room"}}';
    const heal = simulator.addFault({
      kind: "status",
      status: 500,
      body,
      on: { path: "/models/load/*" },
    });
    const client = clientOf(simulator.url);
    const both = [client.loadModel("talker"), client.loadModel("talker")];
    for (const loading of both) {
      await expect(loading).rejects.toMatchObject({
        code: "LOAD_FAILED",
        message: "The service could not load talker-generic-cpu:1. It said: Load failed: no room",
      });
    }
    heal();
    expect(await client.loadModel("talker")).toMatchObject({ status: "loaded" });
  });

  it("continues for the other when one of two callers aborts", async () => {
    const simulator = await simulate({ models: [talker], loadMs: 100 });
    const client = clientOf(simulator.url);
    const controller = new AbortController();
    const impatient = client.loadModel("talker", { signal: controller.signal });
    const patient = client.loadModel("talker");
    await simulator.waitFor(() => askedOf(simulator, "/models/load/").length === 1);
    controller.abort();
    await expect(impatient).rejects.toMatchObject({ code: "CANCELLED" });
    expect(await patient).toMatchObject({ status: "loaded" });
    expect(askedOf(simulator, "/models/load/")).toHaveLength(1);
  });

  it("continues when all callers abort, and the next call joins it", async () => {
    const simulator = await simulate({ models: [talker], loadMs: 2000 });
    const client = clientOf(simulator.url);
    const controller = new AbortController();
    const given = client.loadModel("talker", { signal: controller.signal });
    await simulator.waitFor(() => askedOf(simulator, "/models/load/").length === 1);
    controller.abort();
    await expect(given).rejects.toMatchObject({ code: "CANCELLED" });
    expect(await client.loadModel("talker")).toMatchObject({ status: "loaded" });
    expect(askedOf(simulator, "/models/load/")).toHaveLength(1);
  });

  it("that exceeds its time limit fails with the advice that the service continues", async () => {
    const simulator = await simulate({ models: [talker], loadMs: 600_000 });
    const client = clientOf(simulator.url, { loadTimeoutMs: 1000 });
    await client.listModels();
    await expect(client.loadModel("talker")).rejects.toMatchObject({
      code: "TIMEOUT",
      message: "talker-generic-cpu:1 was not loaded within 1 s; the service goes on loading it.",
      retryable: true,
    });
    expect(askedOf(simulator, "/models/load/")).toHaveLength(1);
  });

  it("for a device does not accept the service's preferred variant", async () => {
    const simulator = await simulate({
      models: [
        { id: "talker-cuda-gpu:1", alias: "talker" },
        { id: "talker-generic-cpu:1", alias: "talker" },
      ],
    });
    await expect(
      clientOf(simulator.url).loadModel("talker", { device: "cpu" }),
    ).rejects.toMatchObject({
      code: "UNSUPPORTED_BY_SERVER",
      message: expect.stringContaining("talker-cuda-gpu:1"),
    });
  });

  it("by the name of a variant does not accept another one, but another version of it", async () => {
    const simulator = await simulate({
      models: [
        { id: "talker-cuda-gpu:1", alias: "talker" },
        { id: "talker-generic-cpu:1", alias: "talker" },
        { id: "typist-generic-cpu:2", alias: "typist" },
        { id: "typist-generic-cpu:1", alias: "typist" },
      ],
    });
    const client = clientOf(simulator.url);
    const request = { prompt: "Hi", model: "talker-generic-cpu" };
    await expect(client.complete(request)).rejects.toMatchObject({
      code: "UNSUPPORTED_BY_SERVER",
      message: expect.stringContaining("it loaded talker-cuda-gpu:1 and not talker-generic-cpu:1"),
    });
    const { model } = await client.loadModel("typist-generic-cpu");
    expect(model).toBe("typist-generic-cpu:2");
  });

  it("for a device whose variant is not downloaded says that, and not that the service chose", async () => {
    const simulator = await simulate({
      models: [
        { id: "talker-cuda-gpu:1", alias: "talker", downloaded: false },
        { id: "talker-generic-cpu:1", alias: "talker" },
      ],
    });
    const client = clientOf(simulator.url);
    await expect(client.loadModel("talker", { device: "gpu" })).rejects.toMatchObject({
      code: "MODEL_NOT_CACHED",
      message:
        "talker-cuda-gpu:1 is not downloaded; the service loaded talker-generic-cpu:1 in its place.",
    });
  });

  it("by the id of a variant advises to download this one, where another one is there", async () => {
    const models = [
      { id: "talker-cuda-gpu:1", alias: "talker", downloaded: false },
      { id: "talker-generic-cpu:1", alias: "talker" },
    ];
    const simulator = await simulate({ dialect: "S", models });
    await expect(clientOf(simulator.url).loadModel("talker-cuda-gpu:1")).rejects.toMatchObject({
      code: "MODEL_NOT_CACHED",
      action: expect.stringContaining('with model "talker-cuda-gpu:1" and download true'),
    });
  });

  it("without a name uses the variant that the service prefers", async () => {
    // Which variants are downloaded is not known here.
    const simulator = await simulateFar({
      models: [
        { id: "talker-cuda-gpu:1", alias: "talker", downloaded: false },
        { id: "talker-generic-cpu:1", alias: "talker" },
      ],
    });
    const { model } = await clientOf(simulator.url).complete({ prompt: "Hi" });
    expect([model, simulator.loaded]).toEqual(["talker-generic-cpu:1", ["talker-generic-cpu:1"]]);
  });

  it("with a download needs no download method where the model turns out to be downloaded", async () => {
    const simulator = await simulateFar({
      models: [
        { id: "talker-generic-cpu:1", alias: "talker" },
        { id: "absent-generic-cpu:1", alias: "absent", downloaded: false },
      ],
    });
    const machine = { ...roomyMachine(), environment: { PATH: "" } };
    const client = clientOf(simulator.url, {}, machine);
    expect(await client.loadModel("talker", { download: true })).toMatchObject({
      model: "talker-generic-cpu:1",
      status: "loaded",
    });
    await expect(client.loadModel("absent", { download: true })).rejects.toMatchObject({
      code: "MODEL_NOT_CACHED",
      action: expect.stringContaining("command line"),
    });
  });

  it("after a download joins no load that began before it and fails", async () => {
    const { id } = talker;
    const simulator = await simulate({ dialect: "S", models: [{ id, downloaded: false }] });
    // The download ends in this time.
    simulator.addFault({ kind: "hang", ms: 3000, times: 1, on: { path: "/openai/load/*" } });
    const client = clientOf(simulator.url);
    const early = client.complete({ prompt: "Hi", model: id }).catch(({ code }) => code);
    await simulator.waitFor(() => askedOf(simulator, "/openai/load/").length === 1);
    const late = client.loadModel(id, { download: true });
    expect(await early).toBe("MODEL_NOT_CACHED");
    expect(await late).toMatchObject({ model: id, status: "loaded" });
  });

  it("for a device uses the variant for that device", async () => {
    const simulator = await simulate({
      models: [
        { id: "talker-generic-gpu:1", alias: "talker", downloaded: false },
        { ...talker, downloaded: true },
      ],
    });
    const client = clientOf(simulator.url);
    expect(await client.loadModel("talker", { device: "cpu" })).toMatchObject({
      model: "talker-generic-cpu:1",
    });
    await expect(client.loadModel("talker", { device: "npu" })).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
      action: expect.stringContaining("cpu, gpu"),
    });
  });

  it.each([
    {
      family: "public",
      path: "/models/load/*",
      says: "does not see talker-generic-cpu:1, although it is on its disk",
    },
    {
      family: "local",
      path: "/catalogs/local/models/load/*",
      says: "does not see the files of talker-generic-cpu:1",
    },
  ] as const)(
    "that the service does not see on its disk needs a restart ($family)",
    async (row) => {
      const simulator = await simulate({ models: [{ ...talker, family: row.family }] });
      simulator.addFault({
        kind: "status",
        status: 400,
        body: '{"error":{"message":"Model not cached: Model must be downloaded before loading"}}',
        on: { path: row.path },
      });

      const load = clientOf(simulator.url).loadModel("talker", { download: true });

      await expect(load).rejects.toMatchObject({
        code: "MODEL_NOT_CACHED",
        message: expect.stringContaining(row.says),
        action: expect.stringContaining("Restart the service"),
      });
    },
  );

  it("by an unknown name fails with the existing names", async () => {
    const simulator = await simulate();
    await expect(clientOf(simulator.url).loadModel("phi-4-mimi")).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
      action: expect.stringMatching(/^Did you mean "phi-4-mini", /),
    });
    expect(askedOf(simulator, "/models/load/")).toEqual([]);
  });

  it("finds a model that was added after the last list", async () => {
    const simulator = await simulate({ version: "2.2.1", models: [talker] });
    const client = clientOf(simulator.url);
    await client.complete({ prompt: "Hi", model: "talker" });
    const hidden = simulator.requests.length;
    await expect(client.loadModel("newcomer")).rejects.toMatchObject({ code: "MODEL_NOT_FOUND" });
    expect(simulator.requests.slice(hidden).map(({ path }) => path)).toContain("/v1/models");
  });
});

describe("unloading a model", () => {
  it("removes it from memory; a model that is not loaded is no error", async () => {
    const simulator = await simulate({ models: [{ ...talker, loaded: true }] });
    const client = clientOf(simulator.url);
    expect(await client.unloadModel("Talker")).toEqual({
      model: "talker-generic-cpu:1",
      status: "unloaded",
    });
    expect(simulator.loaded).toEqual([]);
    expect(await client.unloadModel("talker")).toMatchObject({ status: "not_loaded" });
  });

  it("unloads the variant for a device", async () => {
    const simulator = await simulate({
      models: [
        { ...talker, loaded: true },
        { id: "talker-generic-gpu:1", alias: "talker", loaded: true },
      ],
    });
    await clientOf(simulator.url).unloadModel("talker", { device: "gpu" });
    expect(simulator.loaded).toEqual([talker.id]);
  });

  it("shows at once in the list of models", async () => {
    const simulator = await simulate({ models: [{ ...talker, loaded: true }] });
    const client = clientOf(simulator.url);
    await client.unloadModel("talker");
    expect((await client.listModels()).models).toMatchObject([{ loaded: false }]);
  });
});

describe("a model that is not for chatting", () => {
  it("is refused before it is loaded", async () => {
    const simulator = await simulate();
    const asking = clientOf(simulator.url).complete({
      prompt: "Hi",
      model: "qwen3-embedding-0.6b",
    });
    await expect(asking).rejects.toMatchObject({
      code: "MODEL_CANNOT_CHAT",
      message: "qwen3-embedding-0.6b-generic-cpu:1 is a model for embeddings, not for completions.",
    });
    expect(askedOf(simulator, "/models/load/")).toEqual([]);
  });
});
