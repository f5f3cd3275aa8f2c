import { startSimulator } from "foundry-local-simulator";
import { describe, expect, it, onTestFinished } from "vitest";
import { FoundryClient } from "../../../src/jobs/index.js";
import { askedOf, clientOf, simulate } from "../fixtures.js";
import { httpService } from "./http-service.js";

const talker = { id: "Talker-instruct-generic-cpu:2", alias: "talker" };

describe("on core 2.x", () => {
  it("both families are one list without duplicates, registered models as downloaded", async () => {
    const simulator = await simulate({
      version: "2.2.1",
      models: [
        talker,
        { id: "cloud-generic-cpu:1", alias: "cloud", downloaded: false },
        { id: "My_Own.Talker:7", family: "local", loaded: true },
      ],
    });
    const { models, warning } = await clientOf(simulator.url).listModels();
    expect(
      models.map(({ id, family, downloaded, loaded }) => [id, family, downloaded, loaded]),
    ).toEqual([
      ["Talker-instruct-generic-cpu:2", "public", true, false],
      ["My_Own.Talker:7", "local", true, true],
      ["cloud-generic-cpu:1", "public", false, false],
    ]);
    expect(warning).toBeNull();
  });

  it("versions before 2.1 are asked for only one family", async () => {
    const simulator = await simulate({ version: "2.0.1", models: [talker] });
    await clientOf(simulator.url).listModels();
    expect(askedOf(simulator, "/catalogs/local").map(({ path }) => path)).toEqual([
      "/catalogs/local/v1/responses",
    ]);
  });

  it.each([
    ["alias", "Talker"],
    ["name", "talker-instruct-generic-cpu"],
    ["id", "TALKER-instruct-generic-cpu:2"],
    ["base", "talker-instruct"],
  ])(
    "a model typed as %s is loaded by its alias, and completed by its exact id",
    async (_what, typed) => {
      const simulator = await simulate({ models: [talker] });
      const client = clientOf(simulator.url);
      expect(await client.loadModel(typed)).toEqual({
        model: talker.id,
        status: "loaded",
        elapsedMs: expect.any(Number),
        warnings: [],
      });
      await client.complete({ prompt: "Hi", model: typed });
      expect(askedOf(simulator, "/models/load/").map(({ path }) => path)).toEqual([
        "/models/load/talker",
      ]);
      expect(askedOf(simulator, "/v1/chat/")[0]?.body).toMatchObject({ model: talker.id });
    },
  );

  it("the likely aliases are tried in turn on a remote service without model files", async () => {
    // Nothing of its disk is on this machine.
    const simulator = await startSimulator({ models: [{ id: "thing-generic-cpu:1" }] });
    onTestFinished(() => simulator.close());
    const loaded = await clientOf(simulator.url).loadModel("thing-generic-cpu:1");
    expect(loaded).toMatchObject({ model: "thing-generic-cpu:1", status: "loaded" });
    expect(askedOf(simulator, "/models/load/").map(({ path }) => path)).toEqual([
      "/models/load/thing-generic-cpu",
      "/models/load/thing-generic-cpu:1",
      "/models/load/thing",
    ]);
  });

  it("a remote model whose alias cannot be guessed fails with that reason", async () => {
    const simulator = await startSimulator({
      models: [{ id: "thing-generic-cpu:1", alias: "something-else" }],
    });
    onTestFinished(() => simulator.close());
    const loading = clientOf(simulator.url).loadModel("thing-generic-cpu:1");
    await expect(loading).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
      message:
        "This service loads models by their alias only, and the alias of thing-generic-cpu:1 is not known.",
      action: expect.stringContaining("foundry model list"),
    });
  });

  it("the error for an unknown alias has the id of the request", async () => {
    const { url } = await httpService(({ url: path }, response) => {
      const isUnknown = path?.startsWith("/models/load/");
      response.writeHead(isUnknown || path?.includes("/local/") ? 404 : 200, {
        server: "oatpp/1.4.0",
        "x-request-id": "req-1",
      });
      if (isUnknown) response.end("Model not found");
      else if (path === "/status") response.end('{"modelCachePath":"/m","pid":1}');
      else response.end(path === "/v1/models" ? '{"data":[{"id":"thing-generic-cpu:1"}]}' : "[]");
    });
    const loading = clientOf(url).loadModel("thing-generic-cpu:1");
    await expect(loading).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
      message: expect.stringContaining("by their alias only"),
      requestId: "req-1",
    });
  });

  it("the variant that an alias loads is used on a remote service, whichever was listed first", async () => {
    const simulator = await startSimulator({
      models: [
        { id: "Talker-instruct-cuda-gpu:2", alias: "talker", downloaded: false },
        { id: "Talker-instruct-generic-cpu:2", alias: "talker" },
      ],
    });
    onTestFinished(() => simulator.close());
    const completion = await clientOf(simulator.url).complete({ prompt: "Hi", model: "talker" });
    expect(completion).toMatchObject({
      status: "completed",
      model: "Talker-instruct-generic-cpu:2",
    });
  });

  it("a remote model that is not downloaded is refused with the name to download it", async () => {
    const simulator = await startSimulator({
      models: [{ id: "Talker-instruct-generic-cpu:2", alias: "talker", downloaded: false }],
    });
    onTestFinished(() => simulator.close());
    await expect(clientOf(simulator.url).loadModel("talker")).rejects.toMatchObject({
      code: "MODEL_NOT_CACHED",
      action: expect.stringContaining("`foundry model download talker`"),
    });
  });

  it("a registered model is loaded, completed and unloaded by the routes of its family", async () => {
    const own = { id: "My_Own.Talker:7", alias: "My_Own.Talker", family: "local" as const };
    const simulator = await simulate({ version: "2.2.1", models: [talker, own] });
    const client = clientOf(simulator.url);
    const completion = await client.complete({ prompt: "Hi", model: "my_own.talker" });
    expect(completion).toMatchObject({ status: "completed", model: "My_Own.Talker:7" });
    expect(await client.unloadModel("My_Own.Talker")).toMatchObject({ status: "unloaded" });
    const paths = simulator.requests.map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining([
        "/catalogs/local/models/load/My_Own.Talker",
        "/catalogs/local/v1/chat/completions",
        "/catalogs/local/models/unload/My_Own.Talker",
      ]),
    );
  });

  describe("two versions of an alias:", () => {
    const both = [
      { id: "two-generic-cpu:1", alias: "two" },
      { id: "two-generic-cpu:2", alias: "two" },
    ];

    it("the preferred version is loaded, and the result names it", async () => {
      const simulator = await simulate({ models: both });
      expect(await clientOf(simulator.url).loadModel("two")).toMatchObject({
        model: "two-generic-cpu:2",
        status: "loaded",
      });
    });

    it("loading the other version is an error that names the version loaded instead", async () => {
      const simulator = await simulate({ models: both });
      await expect(clientOf(simulator.url).loadModel("two-generic-cpu:1")).rejects.toMatchObject({
        code: "UNSUPPORTED_BY_SERVER",
        message: expect.stringContaining("it loaded two-generic-cpu:2 and not two-generic-cpu:1"),
        action: "Use two-generic-cpu:2, which is loaded now.",
      });
    });

    it("unloading the version that is not loaded leaves the other one loaded", async () => {
      const simulator = await simulate({ models: both });
      const client = clientOf(simulator.url);
      await client.loadModel("two-generic-cpu:2");
      expect(await client.unloadModel("two-generic-cpu:1")).toEqual({
        model: "two-generic-cpu:1",
        status: "not_loaded",
      });
      expect(simulator.loaded).toEqual(["two-generic-cpu:2"]);
    });
  });

  it.each([
    [
      "is not downloaded",
      { downloaded: false },
      { code: "MODEL_NOT_CACHED", message: "Talker-instruct-generic-cpu:2 is not downloaded." },
    ],
    [
      "is broken",
      { loadError: "Load model from /home/u/model.onnx failed:Protobuf parsing failed." },
      { code: "LOAD_FAILED", message: expect.not.stringMatching(/\/home|\.cc|fl::/) },
    ],
    [
      "needs a provider that is not there",
      {
        loadError:
          "model 'Talker-instruct-generic-cpu:2' requires CUDAExecutionProvider which is not registered. Call DownloadAndRegisterEps() first.",
      },
      { code: "EP_UNAVAILABLE", action: expect.stringContaining("-generic-cpu") },
    ],
  ])("a load of a model that %s fails with its reason, once", async (_what, flaw, error) => {
    const simulator = await simulate({ models: [{ ...talker, ...flaw }] });
    await expect(clientOf(simulator.url).loadModel("talker")).rejects.toMatchObject(error);
    expect(askedOf(simulator, "/models/load/")).toHaveLength(1);
  });

  it("a model in use is not unloaded, and the error says what to do", async () => {
    const simulator = await simulate({
      models: [{ ...talker, loaded: true, script: { text: "on ", forever: true } }],
      tokensPerSecond: 200,
    });
    const client = clientOf(simulator.url);
    for await (const event of client.streamComplete({ prompt: "Hi", model: "talker" })) {
      if (event.type !== "text") continue;
      await expect(client.unloadModel("talker")).rejects.toMatchObject({
        code: "MODEL_BUSY",
        message: "Talker-instruct-generic-cpu:2 is in use, so it cannot be unloaded now.",
        action: expect.not.stringContaining("force"),
      });
      await expect(client.unloadModel("talker", { force: true })).rejects.toMatchObject({
        code: "MODEL_BUSY",
        action: expect.stringContaining("force does nothing on this service"),
        retryable: true,
      });
      break;
    }
    expect(simulator.loaded).toEqual([talker.id]);
  });

  it.each([
    ["a little", 4000],
    ["much", 6000],
  ])("a request head that is %s too long is reported with that reason", async (_what, length) => {
    const simulator = await simulate({ models: [{ ...talker, loaded: true }] });
    const client = clientOf(simulator.url, { headers: { "x-trace": "t".repeat(length) } });
    await expect(client.listModels()).rejects.toMatchObject({
      code: "REQUEST_TOO_LARGE",
      message: expect.stringContaining("4096"),
    });
  });

  it("the request head may be as long as the service's limit", async () => {
    const simulator = await simulate({ models: [{ ...talker, loaded: true }] });
    const client = clientOf(simulator.url, { headers: { "x-trace": "t".repeat(3500) } });
    expect(await client.complete({ prompt: "Hi", model: "talker" })).toMatchObject({
      status: "completed",
    });
  });

  it("the key and the extra headers go with every request", async () => {
    const simulator = await simulate({ models: [talker] });
    const client = new FoundryClient({
      endpoint: `${simulator.url}/v1/`,
      apiKey: "sk-1",
      headers: { "X-Team": "research" },
    });
    await client.complete({ prompt: "Hi", model: "talker" });
    await client.healthCheck();
    await client.close();
    const sent = simulator.requests.map(({ headers }) => [
      headers["authorization"],
      headers["x-team"],
    ]);
    expect(new Set(sent.map(String))).toEqual(new Set(["Bearer sk-1,research"]));
  });
});
