import { describe, expect, it } from "vitest";
import type { ChatEvent } from "../../../../src/foundry/dialects/dialect.js";
import { clientOf } from "../../fixtures.js";
import { knownModel } from "../../models/known-model.js";
import { CALL, catalogEntry, dialectOf, oldService } from "../old-service.js";

const PHI = "Phi-4-generic-gpu:1";

describe("the dialect of the legacy service", () => {
  it.each(["modelDirPath", "ModelDirPath"])("reads its model directory from %s", async (member) => {
    const service = await oldService({
      "/openai/status": { json: { Endpoints: ["http://127.0.0.1:1"], [member]: "C:\\models" } },
    });
    expect(await dialectOf(service).status(CALL)).toEqual({
      pid: null,
      modelCachePath: "C:\\models",
    });
  });

  it("rejects a status of more than a megabyte", async () => {
    const service = await oldService({
      "/openai/status": { json: { modelDirPath: "C:\\models", more: "x".repeat(1024 * 1024) } },
    });
    await expect(dialectOf(service).status(CALL)).rejects.toMatchObject({
      code: "RESPONSE_TOO_LARGE",
    });
  });

  it("counts the entries of its lists that are no models", async () => {
    const service = await oldService({
      "/foundry/list": { json: [null, catalogEntry(PHI), { name: 5 }] },
      "/openai/models": { json: [PHI, 5] },
      "/v1/models": { json: { data: [null] } },
    });
    const { models, warning, leftOut } = await dialectOf(service).listModels(CALL);
    expect(models.map(({ id }) => id)).toEqual([PHI]);
    expect({ warning, leftOut }).toEqual({ warning: null, leftOut: 3 });
  });

  describe("lists models", () => {
    const catalog = [
      catalogEntry(PHI),
      catalogEntry("qwen2.5-0.5b-instruct-openvino-gpu:2", {
        alias: "qwen2.5-0.5b",
        fileSizeMb: 0,
        maxOutputTokens: null,
        supportsToolCalling: undefined,
        runtime: { deviceType: "GPU", executionProvider: "OpenVINOExecutionProvider" },
        futureMember: { a: 1 },
      }),
    ];
    const extras = {
      vision: false,
      toolCalling: true,
      maxInputTokens: 28_672,
      maxOutputTokens: 4096,
      id: "qwen2.5-0.5b-instruct-openvino-gpu:2",
      object: "model",
    };

    it.each([
      ["an array", catalog],
      ["an object around it", { models: catalog }],
    ])("from a catalog that is %s", async (_what, list) => {
      const service = await oldService({
        "/foundry/list": { json: list },
        "/openai/models": { json: ["qwen2.5-0.5b-instruct-openvino-gpu:2"] },
        "/v1/models": { json: { data: [extras], object: "list", IsDelta: false } },
      });
      expect(await dialectOf(service).listModels(CALL)).toEqual({
        warning: null,
        leftOut: 0,
        models: [
          {
            id: PHI,
            alias: "phi-4",
            family: "public",
            downloaded: false,
            contextLength: null,
            details: {
              sizeMb: 8570,
              device: "gpu",
              executionProvider: "WebGpuExecutionProvider",
              task: "chat-completion",
              maxOutputTokens: 2048,
              toolCalling: false,
              vision: null,
              license: "MIT",
            },
          },
          {
            id: "qwen2.5-0.5b-instruct-openvino-gpu:2",
            alias: "qwen2.5-0.5b",
            family: "public",
            downloaded: true,
            contextLength: 32_768,
            details: {
              sizeMb: null,
              device: "gpu",
              executionProvider: "OpenVINOExecutionProvider",
              task: "chat-completion",
              maxOutputTokens: 4096,
              toolCalling: true,
              vision: false,
              license: "MIT",
            },
          },
        ],
      });
    });

    it("by names without versions before 0.7", async () => {
      const service = await oldService({
        "/foundry/list": { json: [catalogEntry("Phi-4-generic-gpu")] },
        "/openai/models": { json: ["Phi-4-generic-gpu"] },
      });
      const { models } = await dialectOf(service).listModels(CALL);
      expect(models).toMatchObject([{ id: "Phi-4-generic-gpu", alias: "phi-4", downloaded: true }]);
    });

    it("without invalid entries", async () => {
      const service = await oldService({
        "/foundry/list": { json: [null, { alias: "x" }, catalogEntry(PHI, { task: 7 }), "text"] },
      });
      const { models, warning } = await dialectOf(service).listModels(CALL);
      expect(models).toMatchObject([{ id: PHI, details: { task: null } }]);
      expect(warning).toBeNull();
    });

    it("with downloaded models that are not in the catalog (#162, #268)", async () => {
      const service = await oldService({
        "/foundry/list": { json: [catalogEntry("phi-4-generic-gpu:2")] },
        "/openai/models": { json: [PHI, "My_Own.Talker:7"] },
      });
      const { models } = await dialectOf(service).listModels(CALL);
      expect(models).toMatchObject([
        { id: "phi-4-generic-gpu:2", downloaded: false },
        // The values shared by all versions of a name, which the size is not.
        {
          id: PHI,
          alias: "phi-4",
          downloaded: true,
          details: { device: "gpu", task: "chat-completion" },
        },
        { id: "My_Own.Talker:7", alias: null, downloaded: true },
      ]);
      expect(models[1]?.details?.sizeMb).toBeUndefined();
    });

    it("also where /v1/models fails or has another content", async () => {
      for (const route of [{ status: 500, text: "no" }, { json: "?" }]) {
        const service = await oldService({
          "/foundry/list": { json: [catalogEntry(PHI)] },
          "/v1/models": route,
        });
        const { models, warning } = await dialectOf(service).listModels(CALL);
        expect([models.length, warning]).toEqual([1, null]);
      }
    });

    it("only downloaded ones without its catalog; the error for another name says so", async () => {
      const { url } = await oldService({ "/openai/models": { json: [PHI] } });
      const failure = {
        code: "MODEL_NOT_FOUND",
        action: expect.stringMatching(/^The service has no catalog of models, .* Downloaded: "phi/),
      };
      await expect(clientOf(url).loadModel("qwen2.5-0.5b")).rejects.toMatchObject(failure);
    });

    it("with the service's details, which a client shows", async () => {
      const { url } = await oldService({
        "/foundry/list": { json: catalog },
        "/openai/models": { json: [PHI] },
        "/openai/loadedmodels": { json: [PHI] },
      });
      const { models } = await clientOf(url).listModels();
      expect(
        models.map(({ id, alias, downloaded, loaded, sizeMb, license }) => [
          id,
          alias,
          downloaded,
          loaded,
          sizeMb,
          license,
        ]),
      ).toEqual([
        [PHI, "phi-4", true, true, 8570, "MIT"],
        ["qwen2.5-0.5b-instruct-openvino-gpu:2", "qwen2.5-0.5b", false, false, null, "MIT"],
      ]);
    });
  });

  describe("loads a model", () => {
    const model = knownModel(PHI);

    it("by its id, percent-encoded, and needs no body for an answer", async () => {
      const service = await oldService({
        [`/openai/load/${encodeURIComponent(PHI)}`]: { status: 200 },
      });
      expect(await dialectOf(service).load(model, "phi-4", CALL)).toBe("loaded");
      expect(service.asked).toEqual([
        "GET /openai/loadedmodels",
        "GET /openai/load/Phi-4-generic-gpu%3A1",
      ]);
    });

    it("only if it is not loaded", async () => {
      const service = await oldService({ "/openai/loadedmodels": { json: [PHI] } });
      expect(await dialectOf(service).load(model, PHI, CALL)).toBe("already_loaded");
      expect(service.asked).toEqual(["GET /openai/loadedmodels"]);
    });

    it("for the caller's idle time, also if it is already loaded", async () => {
      const path = "/openai/load/Phi-4-generic-gpu%3A1";
      const service = await oldService({
        [path]: { status: 200 },
        "/openai/loadedmodels": { json: [PHI] },
      });
      const settings = { idleSeconds: 3600 };
      expect(await dialectOf(service).load(model, PHI, CALL, settings)).toBe("already_loaded");
      expect(service.asked).toContain(`GET ${path}?ttl=3600`);
    });

    it("on CUDA where the catalog has a CUDA model, if it is a generic GPU model", async () => {
      const cuda = { runtime: { deviceType: "GPU", executionProvider: "CUDAExecutionProvider" } };
      const service = await oldService({
        "/foundry/list": { json: [catalogEntry(PHI), catalogEntry("b-cuda-gpu:1", cuda)] },
        "/openai/load/Phi-4-generic-gpu%3A1": { status: 200 },
        "/openai/load/b-cuda-gpu%3A1": { status: 200 },
      });
      const dialect = dialectOf(service);
      await dialect.listModels(CALL);
      await dialect.load(model, PHI, CALL, { idleSeconds: 60 });
      await dialect.load(knownModel("b-cuda-gpu:1"), "b", CALL);
      expect(service.asked.filter((line) => line.includes("/load/"))).toEqual([
        "GET /openai/load/Phi-4-generic-gpu%3A1?ttl=60&ep=cuda",
        "GET /openai/load/b-cuda-gpu%3A1",
      ]);
    });

    it.each([
      [
        500,
        `Failed loading model ${PHI}\nError parsing C:\\Users\\me\\.foundry\\cache\\models\\genai_config.json: Unknown value "spatial_merge_size"`,
        "LOAD_FAILED",
        "update Foundry Local",
      ],
      [500, "", "LOAD_FAILED", "service's log"],
      [
        400,
        `No OpenAIService provider found for modelName:${PHI}`,
        "MODEL_NOT_CACHED",
        "`listModels`",
      ],
      [
        500,
        `No OpenAIService provider found for modelName:${PHI}`,
        "MODEL_NOT_CACHED",
        "`listModels`",
      ],
    ])("or reports why not: %i %j", async (status, text, code, action) => {
      const service = await oldService({
        "/openai/load/Phi-4-generic-gpu%3A1": { status, text },
      });
      await expect(dialectOf(service).load(model, PHI, CALL)).rejects.toMatchObject({
        code,
        action: expect.stringContaining(action),
        message: expect.not.stringContaining("Users"),
      });
      // Only one load request.
      expect(service.asked.filter((line) => line.includes("/load/"))).toHaveLength(1);
    });

    it.each([
      ["broke off", (end: () => void) => end()],
      ["took too long", () => {}],
    ])("and checks the list before it reports a failure, if the answer %s", async (_what, then) => {
      const loaded: string[] = [];
      const service = await oldService({
        "/openai/loadedmodels": (response) => response.end(JSON.stringify(loaded)),
        "/openai/load/Phi-4-generic-gpu%3A1": (response) => {
          loaded.push(PHI);
          then(() => response.destroy());
        },
      });
      const call = { limits: { wholeMs: 3000 } };
      expect(await dialectOf(service).load(model, PHI, call)).toBe("loaded");
      expect(service.asked.filter((line) => line.includes("/load/"))).toHaveLength(1);
    });

    it("and reports a broken connection where the model is not loaded", async () => {
      const service = await oldService({
        "/openai/load/Phi-4-generic-gpu%3A1": (response) => response.destroy(),
      });
      await expect(dialectOf(service).load(model, PHI, CALL)).rejects.toMatchObject({
        code: "SERVICE_UNREACHABLE",
      });
      expect(service.asked.filter((line) => line.includes("/load/"))).toHaveLength(1);
    });
  });

  describe("unloads a model", () => {
    const model = knownModel(PHI);

    it.each([
      [undefined, "false"],
      [false, "false"],
      [true, "true"],
    ])("with force %s", async (force, sent) => {
      const service = await oldService({
        "/openai/loadedmodels": { json: [PHI] },
        "/openai/unload/Phi-4-generic-gpu%3A1": { status: 200 },
      });
      expect(await dialectOf(service).unload(model, CALL, force)).toBe("unloaded");
      expect(service.asked.at(-1)).toBe(`GET /openai/unload/Phi-4-generic-gpu%3A1?force=${sent}`);
    });

    it("that is not loaded without a request", async () => {
      const service = await oldService({});
      expect(await dialectOf(service).unload(model, CALL)).toBe("not_loaded");
      expect(service.asked).toEqual(["GET /openai/loadedmodels"]);
    });

    it("that was unloaded just before the request", async () => {
      let asked = 0;
      const service = await oldService({
        "/openai/loadedmodels": (response) => {
          asked += 1;
          response.end(JSON.stringify(asked === 1 ? [PHI] : []));
        },
      });
      expect(await dialectOf(service).unload(model, CALL)).toBe("not_loaded");
    });
  });

  describe("answers a chat", () => {
    const chunk = (content: string, more = {}) => {
      const said = { role: "assistant", content, tool_calls: [] };
      const choices = [{ delta: said, message: said, index: 0, ...more }];
      return `data: ${JSON.stringify({
        model: PHI,
        choices,
        created: 1762612476,
        CreatedAt: "2025-11-08T14:34:36+00:00",
        id: "chat.id.1",
        IsDelta: false,
        Successful: true,
        HttpStatusCode: 0,
        object: "chat.completion.chunk",
      })}\n\n`;
    };
    const request = (more = {}) => ({
      model: knownModel(PHI),
      messages: [{ role: "user" as const, content: "Hi" }],
      maxTokens: 64,
      ...more,
    });
    const streamed = (text: string, isCut = false) =>
      oldService({
        "/v1/chat/completions": (response) => {
          response.writeHead(200, { "content-type": "text/event-stream" });
          if (isCut) response.write(text, () => response.destroy());
          else response.end(text);
        },
      });
    const told = async (text: string, more = {}): Promise<ChatEvent[]> => {
      const events: ChatEvent[] = [];
      const stream = await dialectOf(await streamed(text)).chat(request(more), CALL);
      for await (const event of stream) events.push(event);
      return events;
    };

    it("with repeated text and without a finish_reason (#299)", async () => {
      expect(await told(`${chunk("Sil")}${chunk("ence")}data: [DONE]\n\n`)).toEqual([
        { type: "text", text: "Sil" },
        { type: "text", text: "ence" },
        { type: "finish", reason: "stop" },
      ]);
    });

    it.each([
      ["has no finish_reason", {}],
      ['calls its end "stop" (#217)', { finish_reason: "stop" }],
    ])("as cut off where it has the maximum length and %s", async (_what, end) => {
      const text = `${chunk("a")}${chunk("b", end)}data: [DONE]\n\n`;
      expect((await told(text, { maxTokens: 2 })).at(-1)).toEqual({
        type: "finish",
        reason: "length",
      });
      expect((await told(text, { maxTokens: 3 })).at(-1)).toEqual({
        type: "finish",
        reason: "stop",
      });
    });

    it("that breaks off before its end", async () => {
      await expect(told(chunk("so far"))).rejects.toMatchObject({ code: "STREAM_INTERRUPTED" });
      const service = await streamed(chunk("so far"), true);
      const events: ChatEvent[] = [];
      const reading = (async () => {
        for await (const event of await dialectOf(service).chat(request(), CALL)) {
          events.push(event);
        }
      })();
      await expect(reading).rejects.toMatchObject({ code: "STREAM_INTERRUPTED" });
      expect(events).toEqual([{ type: "text", text: "so far" }]);
      expect(service.asked).toEqual(["POST /v1/chat/completions"]);
    });

    it("with the seed by both its names", async () => {
      const bodies: unknown[] = [];
      const service = await oldService({
        "/v1/chat/completions": (response, body) => {
          bodies.push(JSON.parse(body));
          response.writeHead(200, { "content-type": "text/event-stream" });
          response.end("data: [DONE]\n\n");
        },
      });
      await dialectOf(service).chat(request({ seed: 7 }), CALL);
      expect(bodies).toMatchObject([{ model: PHI, seed: 7, random_seed: 7, max_tokens: 64 }]);
    });

    it.each([
      [400, `No OpenAIService provider found for modelName:${PHI}`, "MODEL_NOT_CACHED", 1],
      [500, "top_p must be between 0.0 and 1.0", "INVALID_REQUEST", 1],
      [500, `Failed loading model ${PHI}\na library is not loaded`, "LOAD_FAILED", 1],
      [500, "", "INFERENCE_FAILED", 3],
    ])("or refuses it: %i %j", async (status, text, code, times) => {
      const service = await oldService({ "/v1/chat/completions": { status, text } });
      await expect(dialectOf(service).chat(request(), CALL)).rejects.toMatchObject({ code });
      expect(service.asked).toHaveLength(times);
    });

    it("through a client, with a count that is an estimate", async () => {
      const service = await oldService({
        "/foundry/list": { json: [catalogEntry(PHI)] },
        "/openai/models": { json: [PHI] },
        "/openai/loadedmodels": { json: [PHI] },
        "/v1/chat/completions": (response) => {
          response.writeHead(200, { "content-type": "text/event-stream" });
          response.end(`${chunk("Hello")}${chunk(".")}data: [DONE]\n\n`);
        },
      });
      const completion = await clientOf(service.url).complete({ prompt: "Hi", model: "phi-4" });
      expect(completion).toMatchObject({
        status: "completed",
        text: "Hello.",
        finishReason: "stop",
        usage: { estimated: true },
      });
    });
  });
});
