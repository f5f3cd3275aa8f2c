import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { clientOf } from "../fixtures.js";
import { httpService } from "./http-service.js";

const CHUNKS = [
  { choices: [{ delta: { content: "Hello" }, finish_reason: null }] },
  { choices: [{ delta: {}, finish_reason: "stop" }] },
];
const STREAM = CHUNKS.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("");

type Reply = (response: ServerResponse) => void;

const json =
  (body: unknown, status = 200): Reply =>
  (response) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
const page: Reply = (response) => {
  response.writeHead(200, { "content-type": "text/html" });
  response.end("<!doctype html><html><title>UI</title></html>");
};
const empty =
  (status: number): Reply =>
  (response) =>
    response.writeHead(status).end();
const hello: Reply = (response) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.end(`${STREAM}data: [DONE]\n\n`);
};

interface Routes {
  readonly list?: Reply;
  /** The status of any other path. */
  readonly other?: Reply;
  readonly chat?: Reply;
}

/** An engine, and the model of each chat that was requested. */
async function engine({ list, other = empty(404), chat = hello }: Routes) {
  const models: unknown[] = [];
  const service = await httpService((request, response, body) => {
    if (request.method === "POST" && request.url === "/v1/chat/completions") {
      models.push(JSON.parse(body).model);
      return chat(response);
    }
    return (request.url === "/v1/models" ? (list ?? other) : other)(response);
  });
  return { ...service, models };
}

const idsOf = async (list: unknown): Promise<string[]> => {
  const { url } = await engine({ list: json(list) });
  return (await clientOf(url).listModels()).models.map(({ id }) => id);
};

describe("the list of an engine", () => {
  // exo, Together and GitHub Models; one-api; Ollama's /api/tags; LM Studio's /api/v1/models; llama.cpp.
  it.each<[string, unknown]>([
    ["the form of OpenAI", { object: "list", data: [{ id: "a" }, { id: "b" }] }],
    ["the same without its name", { data: [{ id: "a" }, { id: "b" }] }],
    ["a bare list", [{ id: "a", object: "model" }, { id: "b" }]],
    ["a bare list of names", [{ name: "a" }, { name: "b" }]],
    ["a bare list of texts", ["a", "b"]],
    ["texts", { object: "list", data: ["a", "b"] }],
    ["models with texts", { models: ["a", "b"] }],
    ["Ollama's names", { models: [{ name: "a", model: "a" }, { name: "b" }] }],
    [
      "LM Studio's keys",
      {
        models: [
          { key: "a", type: "llm" },
          { key: "b", type: "llm" },
        ],
      },
    ],
    ["both", { models: [{ name: "x" }], object: "list", data: [{ id: "a" }, { id: "b" }] }],
    ["both, one of them empty", { data: [], models: [{ name: "a" }, { name: "b" }] }],
    ["an object by id", { a: { object: "model" }, b: { object: "model" } }],
    ["an object by id as data", { object: "list", data: { a: {}, b: {} } }],
    ["an object by id as models", { models: { a: {}, b: { owned_by: "x" } } }],
    ["an object by number", { data: { 0: { id: "a" }, 1: { id: "b" } } }],
  ])("is read as %s", async (_form, list) => {
    expect(await idsOf(list)).toEqual(["a", "b"]);
  });

  it.each<[string, unknown]>([
    ["an object", { hello: "world" }],
    ["nested objects", { status: { state: "up" }, build: { commit: "x" } }],
    ["an error", { error: { message: "no", type: "x" } }],
    ["a page of FastAPI", { detail: { id: "Not Found" } }],
    ["numbers", [1, 2]],
    ["other objects", { data: [{ title: "a" }] }],
  ])("is none where it is %s", async (_form, list) => {
    const { url } = await engine({ list: json(list) });
    await expect(clientOf(url).listModels()).rejects.toMatchObject({ code: "NOT_FOUNDRY" });
  });

  it("may have 10,000 models, in which a name is found", async () => {
    const data = Array.from({ length: 10_000 }, (_, at) => ({
      id: `org/model-${at}:latest`,
      object: "model",
      owned_by: "org",
      capabilities: ["completion", "tools"],
      permission: [{ id: `p-${at}`, allow_sampling: true, allow_view: true, organization: "*" }],
    }));
    const { url, models } = await engine({ list: json({ object: "list", data }) });
    const client = clientOf(url);
    expect((await client.listModels()).models).toHaveLength(10_000);
    const { text } = await client.complete({ prompt: "Hi", model: "org/model-9999" });
    expect([text, models]).toEqual(["Hello", ["org/model-9999:latest"]]);
  });

  it.each([
    ["llama3.2", "llama3.2:latest"],
    ["LLAMA3.2:latest", "llama3.2:latest"],
    ["plain:latest", "plain"],
    ["google/gemma-3-12b", "google/gemma-3-12b"],
    ["my own model", "my own model"],
    ["qwen2.5-7b@q4_k_m", "qwen2.5-7b@q4_k_m"],
    ["Case", "Case"],
    ["case", "case"],
  ])("reads %j as %j", async (typed, id) => {
    const ids = ["Case", "case", "llama3.2:1b", "llama3.2:latest", "plain"];
    const all = [...ids, "google/gemma-3-12b", "my own model", "qwen2.5-7b@q4_k_m"];
    const { url, models } = await engine({
      list: json({ data: all.map((each) => ({ id: each })) }),
    });
    await clientOf(url).complete({ prompt: "Hi", model: typed });
    expect(models).toEqual([id]);
  });
});

const NO_LISTS: readonly (readonly [string, Routes])[] = [
  ["404", {}],
  ["404 in JSON", { list: json({ detail: "Not Found" }, 404) }],
  ["405", { list: empty(405) }],
  ["422", { list: json({ detail: [{ msg: "Field required" }] }, 422) }],
  ["501", { list: json({ error: "not implemented" }, 501) }],
  ["an empty body", { list: empty(200) }],
  ["a web page", { list: page }],
  ["a web page at every path", { other: page }],
  ["{} at every path", { other: json({}) }],
  [
    "an error with 200 at every path",
    { other: json({ error: "Unexpected endpoint or method. (GET /v1/models)" }) },
  ],
];

const EMPTY_LISTS: readonly (readonly [string, Routes])[] = [
  ["an empty list", { list: json({ object: "list", data: [] }) }],
  ["no data, as Ollama", { list: json({ object: "list", data: null }) }],
  ["an empty bare list", { list: json([]) }],
  ["no models", { list: json({ models: [] }) }],
  ["[] at every path", { other: json([]) }],
];

describe.each([...NO_LISTS, ...EMPTY_LISTS])("an engine whose list is %s", (_what, routes) => {
  it("is sent the requested model", async () => {
    const { url, models } = await engine(routes);
    const client = clientOf(url);
    const completion = await client.complete({ prompt: "Hi", model: " llama3.2:3b " });
    expect(completion).toMatchObject({ status: "completed", text: "Hello", model: "llama3.2:3b" });
    const pieces: string[] = [];
    for await (const event of client.streamComplete({ prompt: "Hi", model: "llama3.2:3b" })) {
      if (event.type === "text") pieces.push(event.text);
    }
    expect(pieces.join("")).toBe("Hello");
    expect(models).toEqual(["llama3.2:3b", "llama3.2:3b"]);
  });

  it("is sent the model of the option `model` where none is requested", async () => {
    const { url, models } = await engine(routes);
    const client = clientOf(url, { model: "org/my model" });
    expect(await client.complete({ prompt: "Hi" })).toMatchObject({ text: "Hello" });
    expect(models).toEqual(["org/my model"]);
  });

  it("decides itself about an unknown model", async () => {
    const missing = json({ error: { message: 'model "x" not found, try pulling it first' } }, 404);
    const { url, models } = await engine({ ...routes, chat: missing });
    const asking = clientOf(url).complete({ prompt: "Hi", model: "x" });
    await expect(asking).rejects.toMatchObject({ code: "MODEL_NOT_FOUND" });
    expect(models).toEqual(["x"]);
  });

  it("is not used without a model's name, and the error does not mention Foundry's command line", async () => {
    const { url, models } = await engine(routes);
    const error = await clientOf(url)
      .complete({ prompt: "Hi" })
      .catch((thrown: Error) => thrown);
    expect(error).toMatchObject({
      code: expect.stringMatching(/^(NOT_FOUNDRY|MODEL_NOT_FOUND)$/),
      action: expect.stringMatching(/name a model in (`complete`|the call)/i),
    });
    expect(error).not.toMatchObject({ action: expect.stringContaining("`foundry") });
    expect(models).toEqual([]);
  });
});

/** What a server without chats answers to one. All of them are tried without any list. */
const NO_CHATS: readonly (readonly [string, Reply])[] = [
  ["404", empty(404)],
  ["405", empty(405)],
  ["a web page", page],
  ["{}", json({})],
  ["[]", json([])],
];

describe.each(NO_LISTS)("a server that gives %s for a list", (_what, routes) => {
  it("is no engine until it has answered a chat", async () => {
    const { url } = await engine(routes);
    const client = clientOf(url);
    await expect(client.listModels()).rejects.toMatchObject({ code: "NOT_FOUNDRY" });
    expect(await client.healthCheck()).toMatchObject({ status: "unavailable" });
    await client.complete({ prompt: "Hi", model: "m" });
    expect(await client.listModels()).toMatchObject({
      models: [],
      warning: "This engine lists no models at /v1/models. Name the model in each call.",
    });
    expect(await client.healthCheck()).toMatchObject({
      status: "degraded",
      dialect: "openai",
      problems: [{ what: expect.stringContaining("lists no models") }],
    });
  });

  it.each(routes === NO_LISTS[0]?.[1] ? NO_CHATS : NO_CHATS.slice(0, 1))(
    "is no engine where it answers a chat with %s",
    async (_answer, chat) => {
      const { url } = await engine({ ...routes, chat });
      const asking = clientOf(url).complete({ prompt: "Hi", model: "m" });
      await expect(asking).rejects.toMatchObject({
        code: "NOT_FOUNDRY",
        message: expect.stringContaining("neither Foundry Local nor an OpenAI-compatible engine"),
        action: expect.not.stringContaining("`foundry"),
      });
    },
  );
});

/** List entries of models that cannot chat. */
const OTHERS: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ["LM Studio", { type: "embeddings" }],
  ["Xinference", { model_type: "rerank", model_ability: ["rerank"] }],
  ["Together", { type: "image" }],
  ["speaches", { task: "automatic-speech-recognition" }],
  ["Hugging Face", { pipeline_tag: "feature-extraction" }],
  ["LiteLLM", { mode: "audio_speech" }],
  ["Infinity", { capabilities: ["embed"] }],
  ["Ollama", { capabilities: ["embedding"] }],
  ["Azure", { capabilities: { embeddings: true, chat_completion: false } }],
  ["Lemonade", { labels: ["reranking"] }],
  // server_models.json of lemonade-sdk/lemonade.
  ["Lemonade, of pictures", { labels: ["image"] }],
  ["Lemonade, of larger ones", { labels: ["upscaling", "image"] }],
  ["Lemonade, of bodies", { labels: ["3d"] }],
  ["OpenRouter", { architecture: { modality: "text->image" } }],
  [
    "OpenRouter's lists",
    { architecture: { input_modalities: ["text"], output_modalities: ["embeddings"] } },
  ],
  ["GPUStack", { categories: ["text_to_speech"] }],
];
/** List entries of models that can chat. */
const CHATS: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ["LM Studio", { type: "llm" }],
  ["LM Studio, of images", { type: "vlm" }],
  ["Xinference", { model_type: "LLM", model_ability: ["chat", "vision"] }],
  ["Together", { type: "chat" }],
  ["GitHub Models", { task: "chat-completion" }],
  ["Lemonade", { labels: ["chat", "image", "vision"] }],
  ["Hugging Face", { pipeline_tag: "image-text-to-text" }],
  ["LiteLLM", { mode: "chat" }],
  ["llama.cpp", { capabilities: ["completion", "multimodal"] }],
  ["Ollama", { capabilities: ["completion", "embedding", "vision"] }],
  ["Mistral", { type: "base", capabilities: { completion_chat: true, vision: false } }],
  ["OpenRouter", { architecture: { modality: "text+image->text" } }],
  ["Foundry Local", { task: "coding" }],
];
/** List entries without the task. */
const SILENT: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ["llama.cpp", { type: "model", tags: [""], capabilities: [] }],
  ["what it accepts", { capabilities: ["text", "image", "audio"] }],
  ["tools", { capabilities: ["tool_use"] }],
  ["other types", { type: 5, capabilities: null, architecture: "llama", task: [null] }],
  ["a permission", { object: "model", owned_by: "embedding-team" }],
];

describe("what a list says of its models", () => {
  const listOf = async (...data: object[]) => {
    const { url } = await engine({ list: json({ object: "list", data }) });
    return clientOf(url);
  };

  it.each([
    ["vLLM", { max_model_len: 8192, context_length: 131072 }],
    ["Lemonade and OpenRouter", { context_length: 8192, max_context_window: 131072 }],
    ["llama.cpp", { meta: { n_ctx: 8192, n_ctx_train: 131072 } }],
  ])("is the context as %s writes it", async (_engine, members) => {
    const client = await listOf({ id: "m", ...members });

    const { models } = await client.listModels();

    expect(models).toMatchObject([{ contextLength: 8192 }]);
  });

  it("is which are loaded, where it says so of each", async () => {
    const client = await listOf(
      { id: "first-7b", status: { value: "unloaded" } },
      { id: "second-7b", status: { value: "loaded" } },
    );

    const { models } = await client.listModels();
    const { loadedModels } = await client.healthCheck();

    expect(models.map(({ loaded }) => loaded)).toEqual([false, true]);
    expect(loadedModels).toEqual(["second-7b"]);
    expect((await client.complete({ prompt: "Hi" })).model).toBe("second-7b");
  });

  it("is not which are loaded where it says it of some alone, or of none", async () => {
    for (const data of [[{ id: "a" }, { id: "b", status: { value: "loaded" } }], []]) {
      const client = await listOf(...data);

      expect((await client.listModels()).models.every(({ loaded }) => loaded === null)).toBe(true);
      expect((await client.healthCheck()).loadedModels).toBeNull();
    }
  });
});

describe("the task of a model", () => {
  it("is recognised as no chat in the lists of engines", async () => {
    const others = OTHERS.map(([name, says]) => ({ id: `other of ${name}`, ...says }));
    const { url, models } = await engine({ list: json({ data: [...others, { id: "second" }] }) });
    const client = clientOf(url);
    expect(await client.complete({ prompt: "Hi" })).toMatchObject({ model: "second" });
    expect(await client.listModels()).toMatchObject({ defaultModel: "second" });
    for (const { id } of others) {
      await expect(client.complete({ prompt: "Hi", model: id }), id).rejects.toMatchObject({
        code: "MODEL_CANNOT_CHAT",
      });
    }
    expect(models).toEqual(["second"]);
  });

  it("is recognised as chat in the lists of engines, whatever its name", async () => {
    const data = CHATS.map(([name, says]) => ({ id: `whisper of ${name}`, ...says }));
    const { url } = await engine({ list: json({ data }) });
    const client = clientOf(url);
    const tasks = new Map((await client.listModels()).models.map(({ id, task }) => [id, task]));
    expect(tasks).toEqual(new Map(data.map(({ id }) => [id, "chat-completion"])));
    expect((await client.complete({ prompt: "Hi" })).model).toMatch(/^whisper of /);
  });

  it("is unknown in lists that do not say it, so the name decides", async () => {
    const bges = SILENT.map(([, says], index) => ({ id: `bge-m3-${index}`, ...says }));
    const plains = SILENT.map(([, says], index) => ({ id: `plain-${index}`, ...says }));
    const { url } = await engine({ list: json({ data: [...bges, ...plains] }) });
    const client = clientOf(url);
    const tasks = new Set((await client.listModels()).models.map(({ task }) => task));
    expect(tasks).toEqual(new Set([null]));
    expect(await client.complete({ prompt: "Hi" })).toMatchObject({ model: "plain-0" });
    // The name is only a guess: it does not refuse a requested model.
    expect(await client.complete({ prompt: "Hi", model: "bge-m3-0" })).toMatchObject({
      status: "completed",
    });
  });

  it("leads to an error that says what to do where no model can chat", async () => {
    const { url, models } = await engine({ list: json({ data: ["all-minilm", "tts-1"] }) });
    await expect(clientOf(url).complete({ prompt: "Hi" })).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
      message: "None of the models that this engine lists can chat.",
      action: expect.not.stringContaining("`foundry"),
    });
    expect(models).toEqual([]);
  });
});
