import { describe, expect, it } from "vitest";
import { askedOf, clientOf, simulate } from "../fixtures.js";
import { chatEngine, hello, json } from "./chat-engine.js";
import { httpService } from "./http-service.js";

const engine = {
  dialect: "openai",
  models: [{ id: "llama3.1:8", script: { text: "Hello there." }, contextLength: 4096 }],
} as const;

const refused = (message: string) =>
  json({ error: { message, type: "BadRequestError", code: 400 } }, 400);

describe("on an OpenAI-compatible engine", () => {
  it("a completion needs no load, and sends no request about loading", async () => {
    const simulator = await simulate(engine);
    const completion = await clientOf(simulator.url).complete({ prompt: "Hi", model: "LLAMA3.1" });
    expect(completion).toMatchObject({
      status: "completed",
      text: "Hello there.",
      model: "llama3.1:8",
      usage: { estimated: false },
      timing: { loadMs: 0 },
    });
    expect(askedOf(simulator, "/models/load/")).toEqual([]);
  });

  it("a stop string is applied by the client, and not sent", async () => {
    const simulator = await simulate(engine);
    const client = clientOf(simulator.url);
    const { text, finishReason } = await client.complete({ prompt: "Hi", stop: ["there"] });
    expect([text, finishReason]).toEqual(["Hello ", "stop"]);
    expect(askedOf(simulator, "/v1/chat/")[0]?.body).not.toHaveProperty("stop");
  });

  it("an unknown finish_reason is no stop, with a warning", async () => {
    const { url } = await httpService((request, response) => {
      const isChat = request.method === "POST";
      const isList = request.url === "/v1/models";
      response.writeHead(isChat || isList ? 200 : 404, {
        "content-type": isChat ? "text/event-stream" : "application/json",
      });
      const chunk = { choices: [{ delta: { content: "Hello" }, finish_reason: "tired" }] };
      const list = { object: "list", data: [{ id: "m", object: "model" }] };
      if (isChat) response.end(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`);
      else response.end(JSON.stringify(isList ? list : {}));
    });
    const completion = await clientOf(url).complete({ prompt: "Hi", model: "m" });
    expect(completion).toMatchObject({ status: "completed", text: "Hello", finishReason: null });
    expect(completion.warnings).toEqual([expect.stringContaining('"tired"')]);
  });

  it("the states loaded and downloaded are unknown", async () => {
    const simulator = await simulate(engine);
    const { models } = await clientOf(simulator.url).listModels();
    expect(models).toMatchObject([{ id: "llama3.1:8", loaded: null, downloaded: null }]);
  });

  it("the context is known where the engine lists it, as vLLM does", async () => {
    const { url } = await httpService((request, response) => {
      const isList = request.url === "/v1/models";
      response.writeHead(isList ? 200 : 404, { "content-type": "application/json" });
      response.end(
        isList
          ? '{"object":"list","data":[{"id":"m","object":"model","max_model_len":8192}]}'
          : "{}",
      );
    });
    const { models } = await clientOf(url).listModels();
    expect(models).toMatchObject([{ id: "m", contextLength: 8192 }]);
  });

  // Infinity, OpenVINO Model Server, AnythingLLM, Google.
  it.each(["", "/v3", "/api/v1/openai", "/v1beta/openai"])(
    "routes without /v1 are found behind the address %j",
    async (base) => {
      const routes = new Map<string | undefined, object>([
        [`${base}/models`, { object: "list", data: [{ id: "m", object: "model" }] }],
        [`${base}/chat/completions`, { choices: [{ message: { content: "Hello" } }] }],
        [`${base}/embeddings`, { data: [{ embedding: [1] }] }],
      ]);
      const { url } = await httpService(({ url: path }, response) => {
        response.writeHead(routes.has(path) ? 200 : 404);
        response.end(JSON.stringify(routes.get(path) ?? { detail: "Not Found" }));
      });
      const client = clientOf(`${url}${base}`);
      expect(await client.complete({ prompt: "Hi" })).toMatchObject({ text: "Hello", model: "m" });
      expect(await client.embed(["Hi"], { model: "m" })).toMatchObject({ vectors: [[1]] });
      expect(await client.healthCheck()).toMatchObject({ status: "healthy" });
    },
  );

  it("loading and unloading are refused with an alternative", async () => {
    const simulator = await simulate(engine);
    const client = clientOf(simulator.url);
    const code = "UNSUPPORTED_BY_SERVER";
    await expect(client.loadModel("llama3.1")).rejects.toMatchObject({
      code,
      action: "Call complete directly.",
    });
    await expect(client.unloadModel("llama3.1")).rejects.toMatchObject({
      code,
      message: expect.stringContaining("decides by itself how long"),
      action: expect.stringContaining("engine's own tools"),
    });
  });

  it("the default length is shortened to the engine's context", async () => {
    const models = [{ ...engine.models[0], contextLength: 512 }];
    const simulator = await simulate({ ...engine, models });
    const completion = await clientOf(simulator.url).complete({ prompt: "Hi", model: "llama3.1" });
    expect(completion).toMatchObject({
      status: "completed",
      warnings: [expect.stringContaining("limited to")],
    });
  });

  it.each([
    [
      "prompt and answer",
      "Number of prompt tokens: 3500 + max tokens value: 1024 exceeds model max length: 4096",
      596,
    ],
    ["the answer", "max_tokens exceeds limit provided in graph config: 512", 512],
  ])("the default length is shortened where OpenVINO limits %s", async (_what, says, left) => {
    const { url, chats } = await chatEngine((body) =>
      Number(body["max_tokens"]) > left ? refused(says) : hello(body),
    );
    const completion = await clientOf(url).complete({ prompt: "Hi", model: "m" });
    expect(chats.map((body) => body["max_tokens"])).toEqual([1024, left]);
    expect(completion.warnings).toEqual([expect.stringContaining(`limited to ${left} tokens`)]);
  });

  it("the default length is shortened twice where vLLM counts the prompt only in its second refusal", async () => {
    const { url, chats } = await chatEngine((body) => {
      const asked = Number(body["max_tokens"]);
      if (asked > 4096) {
        return refused(
          `max_tokens=${asked} cannot be greater than max_model_len=4096. Please request fewer output tokens.`,
        );
      }
      if (asked + 3000 > 4096) {
        return refused(
          `This model's maximum context length is 4096 tokens. However, you requested ${asked} output tokens and your prompt contains 3000 input tokens, for a total of ${asked + 3000} tokens.`,
        );
      }
      return hello(body);
    });
    const completion = await clientOf(url, { maxTokens: 8192 }).complete({
      prompt: "Hi",
      model: "m",
    });
    expect(chats.map((body) => body["max_tokens"])).toEqual([8192, 2048, 1096]);
    expect(completion).toMatchObject({
      text: "Hello",
      warnings: [expect.stringContaining("limited to 1096 tokens")],
    });
  });

  it("the key that the engine requires is sent", async () => {
    const simulator = await simulate({ ...engine, apiKey: "sk-1" });
    const client = clientOf(simulator.url, { apiKey: "sk-1" });
    expect(await client.complete({ prompt: "Hi" })).toMatchObject({ status: "completed" });
  });

  it.each([
    ["no key", {}],
    ["a wrong key", { apiKey: "sk-2" }],
  ])("%s is reported as such, at once", async (_what, options) => {
    const simulator = await simulate({ ...engine, apiKey: "sk-1" });
    const client = clientOf(simulator.url, options);
    await expect(client.listModels()).rejects.toMatchObject({
      code: "UNAUTHORIZED",
      action: expect.stringContaining("the option `apiKey`"),
    });
    expect(await client.healthCheck()).toMatchObject({
      status: "unavailable",
      problems: [{ fix: expect.stringContaining("the option `apiKey`") }],
    });
    expect(simulator.requests.every(({ path }) => !path.includes("chat"))).toBe(true);
  });
});
