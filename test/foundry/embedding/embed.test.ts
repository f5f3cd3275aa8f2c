import { describe, expect, it } from "vitest";
import { bodyOf, httpServer } from "../../http/servers.js";
import { askedOf, clientOf, simulate, simulateFar } from "../fixtures.js";

const MODELS = [
  { id: "chatty-generic-cpu:1", loaded: true },
  { id: "tiny-embedding-generic-cpu:1", alias: "tiny-embedding", task: "embeddings" },
] as const;
const DIALECTS = ["C1", "C2", "openai"] as const;

const TEXTS = ["the cat sat on the mat", "stock prices fell sharply", "a cat on a mat"];

describe.each(DIALECTS)("embeddings of %s", (dialect) => {
  it("come in the order of the texts, from a model that is found and loaded", async () => {
    const simulator = await simulate({ dialect, models: MODELS });
    const client = clientOf(simulator.url);

    const { model, vectors } = await client.embed(TEXTS);
    const [again] = (await client.embed([TEXTS[1] ?? ""])).vectors;

    expect(model).toMatch(/^tiny-embedding-generic-cpu/);
    expect(vectors).toHaveLength(3);
    expect(vectors[1]).toEqual(again);
    expect(vectors[0]).not.toEqual(vectors[1]);
  });

  it("are of the texts as the call was given them, though the caller changes its list", async () => {
    const simulator = await simulate({ dialect, models: MODELS });
    const client = clientOf(simulator.url);
    const emptied = [...TEXTS];
    const reversed = [...TEXTS];

    const embedding = client.embed(emptied);
    emptied.length = 0;
    const ranking = client.rank("the cat sat on the mat", reversed);
    reversed.reverse();

    expect((await embedding).vectors).toHaveLength(3);
    expect((await ranking).ranking[0]).toMatchObject({ index: 0, text: TEXTS[0] });
  });

  it("rank texts by their nearness to a query, an equal text first", async () => {
    const simulator = await simulate({ dialect, models: MODELS });
    const client = clientOf(simulator.url);

    const { model, ranking: all } = await client.rank("the cat sat on the mat", TEXTS);
    const { ranking: two } = await client.rank("stock prices", TEXTS, {
      limit: 2,
      model: "tiny-embedding",
    });

    expect(model).toMatch(/^tiny-embedding-generic-cpu/);
    expect(all.map(({ index }) => index)).toEqual([0, 2, 1]);
    expect(all[0]).toMatchObject({ text: TEXTS[0] });
    expect(all[0]?.score).toBeGreaterThan(0.99);
    expect(two.map(({ index }) => index)).toEqual([1, expect.any(Number)]);
  });

  it("of many texts are requested in parts, with progress", async () => {
    const simulator = await simulate({ dialect, models: MODELS });
    const client = clientOf(simulator.url);
    const texts = Array.from({ length: 70 }, (_, index) => `text number ${index}`);
    const percents: (number | null)[] = [];

    const { vectors } = await client.embed(texts, {
      onStatus: ({ step, percent }) => void (step === "embedding" && percents.push(percent)),
    });

    expect(new Set(vectors.map((vector) => vector.join())).size).toBe(70);
    expect(askedOf(simulator, "/v1/embeddings")).toHaveLength(3);
    expect(percents).toEqual([45, 91, 100]);
  });

  it.runIf(dialect === "C1")("that are cancelled delay an unload for a while", async () => {
    const simulator = await simulate({ dialect, models: MODELS });
    const client = clientOf(simulator.url);
    const { model } = await client.embed(["one"]);
    simulator.addFault({ kind: "hang", on: { path: "/v1/embeddings" }, times: 1 });
    const stopping = new AbortController();
    const embedding = client.embed(["two"], { signal: stopping.signal });
    await expect.poll(() => askedOf(simulator, "/v1/embeddings")).toHaveLength(2);
    stopping.abort();
    await expect(embedding).rejects.toMatchObject({ code: "CANCELLED" });

    const unloading = new AbortController();
    const unload = client.unloadModel(model, { signal: unloading.signal });
    // An unload without this delay would be sent before these.
    for (let list = 0; list < 5; list += 1) await client.listModels();

    expect(askedOf(simulator, "/models/unload")).toEqual([]);
    unloading.abort();
    await expect(unload).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it("are never requested from a chat model", async () => {
    const simulator = await simulate({ dialect, models: MODELS });
    const client = clientOf(simulator.url);

    await expect(client.embed(TEXTS, { model: "chatty-generic-cpu" })).rejects.toMatchObject({
      code: "MODEL_CANNOT_EMBED",
    });
    // A plain engine does not report the task of a model, and refuses by itself.
    expect(askedOf(simulator, "/v1/embeddings")).toHaveLength(dialect === "openai" ? 1 : 0);
    expect((await client.embed(TEXTS)).vectors).toHaveLength(3);
  });

  it("load a model again that was unloaded", async () => {
    const simulator = await simulate({ dialect, models: MODELS });
    const client = clientOf(simulator.url);
    await client.embed(TEXTS);
    if (dialect !== "openai") simulator.setLoaded("tiny-embedding-generic-cpu:1", false);

    expect((await client.embed(TEXTS)).vectors).toHaveLength(3);
  });
});

describe("embeddings", () => {
  it.each([
    ["with a model for them", MODELS],
    ["without one", MODELS.slice(0, 1)],
  ])("are not possible on the legacy service %s, which loads nothing then", async (_, models) => {
    const simulator = await simulate({ dialect: "S", models });

    await expect(clientOf(simulator.url).embed(TEXTS)).rejects.toMatchObject({
      code: "UNSUPPORTED_BY_SERVER",
    });

    expect(askedOf(simulator, "/openai/load")).toEqual([]);
  });

  it("need a downloaded model, and the error names one to download", async () => {
    const [chatty, embedder] = MODELS;
    const models = [chatty, { ...embedder, downloaded: false }];
    const simulator = await simulate({ models });
    const client = clientOf(simulator.url);

    await expect(client.embed(TEXTS)).rejects.toMatchObject({
      code: "MODEL_NOT_CACHED",
      action: expect.stringContaining("tiny-embedding"),
    });
    await expect(
      clientOf((await simulate({ models: [chatty] })).url).embed(TEXTS),
    ).rejects.toMatchObject({
      code: "MODEL_CANNOT_EMBED",
      message: expect.stringContaining("lists no"),
    });
  });

  it.each([
    [[], {}],
    ["a text", {}],
    [["a", " "], {}],
    [["a", 5], {}],
    [new Array(1001).fill("a"), {}],
    [["a"], { model: "" }],
    [["a"], { dimensions: 5 }],
  ])("are refused for %j with %j", async (texts, options) => {
    const client = clientOf("http://127.0.0.1:1");

    await expect(Reflect.apply(client.embed, client, [texts, options])).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  it("stop when their signal is aborted", async () => {
    const simulator = await simulate({ dialect: "openai", models: MODELS });
    const client = clientOf(simulator.url);

    await expect(client.embed(TEXTS, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "CANCELLED",
    });
  });
});

/** An engine that answers a request for embeddings with this. */
async function engineAnswering(
  answer: (inputs: readonly string[]) => unknown,
  status: number | ((inputs: readonly string[]) => number) = 200,
) {
  const { baseUrl } = await httpServer(async (request, response) => {
    const { input } = JSON.parse((await bodyOf(request)) || '{"input":[]}');
    const own = typeof status === "number" ? status : status(input);
    response.writeHead(request.url === "/v1/embeddings" ? own : 200, {
      "content-type": "application/json",
    });
    if (request.url === "/v1/models") {
      response.end(JSON.stringify({ object: "list", data: [{ id: "bge-small" }] }));
      return;
    }
    response.end(JSON.stringify(answer(input)));
  });
  return clientOf(baseUrl);
}

const base64 = (values: readonly number[]) =>
  Buffer.from(Float32Array.from(values).buffer).toString("base64");

describe("an answer with embeddings", () => {
  it.each([
    [
      "in order",
      [
        { index: 0, embedding: [1, 0] },
        { index: 1, embedding: [0, 1] },
      ],
    ],
    [
      "in another order",
      [
        { index: 1, embedding: [0, 1] },
        { index: 0, embedding: [1, 0] },
      ],
    ],
    ["without indexes", [{ embedding: [1, 0] }, { embedding: [0, 1] }]],
    [
      "as base64",
      [
        { index: 0, embedding: base64([1, 0]) },
        { index: 1, embedding: base64([0, 1]) },
      ],
    ],
  ])("is read %s", async (_how, data) => {
    const client = await engineAnswering(() => ({ data, usage: { prompt_tokens: 6 } }));

    expect(await client.embed(["a", "b"])).toEqual({
      model: "bge-small",
      vectors: [
        [1, 0],
        [0, 1],
      ],
      inputTokens: 6,
    });
  });

  it.each([
    ["no count of tokens", undefined],
    ["a count of 0", { prompt_tokens: 0 }],
    ["a count that is none", { prompt_tokens: "6" }],
  ])("with %s has no count", async (_what, usage) => {
    const data = [{ index: 0, embedding: [1, 0] }];
    const client = await engineAnswering(() => ({ data, usage }));

    expect((await client.embed(["a"])).inputTokens).toBeNull();
  });

  it.each([
    ["too few", [{ embedding: [1] }]],
    ["too many", [{ embedding: [1] }, { embedding: [1] }, { embedding: [1] }]],
    ["of several lengths", [{ embedding: [1] }, { embedding: [1, 0] }]],
    ["that are empty", [{ embedding: [] }, { embedding: [] }]],
    ["that are no numbers", [{ embedding: ["a"] }, { embedding: [null] }]],
    ["too large for 32 bits", [{ embedding: [1e308, 1] }, { embedding: [1, 1] }]],
    ["in broken base64", [{ embedding: "AAA" }, { embedding: "AAA" }]],
  ])("with vectors %s is refused", async (_what, data) => {
    const client = await engineAnswering(() => ({ data }));

    await expect(client.embed(["a", "b"])).rejects.toMatchObject({ code: "INVALID_RESPONSE" });
  });

  it.each([
    ["vLLM", 400, { error: { message: "The model does not support Embeddings API" } }],
    ["Ollama", 500, { error: { message: "this model does not support embeddings" } }],
    [
      "llama.cpp",
      501,
      {
        error: { message: "This server does not support embeddings. Start it with `--embeddings`" },
      },
    ],
  ])("from a chat model is an error, as of %s", async (_engine, status, body) => {
    const client = await engineAnswering(() => body, status);

    await expect(client.embed(["a"])).rejects.toMatchObject({ code: "MODEL_CANNOT_EMBED" });
  });

  it.each([
    ["vLLM", 400, "This model's maximum context length is 512 tokens, but 900 were given."],
    ["llama.cpp", 500, "input is too large to process. increase the physical batch size"],
    ["Ollama", 400, "the input length exceeds the context length"],
    ["LiteLLM", 400, "litellm.ContextWindowExceededError: too many tokens"],
    ["an engine that answers 200", 200, "context length exceeded"],
    [
      "Foundry Local",
      500,
      "Inference failed: max_length (9003) cannot be greater than model context_length (4096)",
    ],
  ])(
    "that a text is too long is reported in terms of texts: %s",
    async (_engine, status, message) => {
      const client = await engineAnswering(() => ({ error: { message } }), status);

      await expect(client.embed(["a"])).rejects.toMatchObject({
        code: "CONTEXT_LENGTH_EXCEEDED",
        message: expect.stringContaining("A text is too long"),
        action: expect.not.stringContaining("maxTokens"),
      });
    },
  );

  it.each([
    ["text", { error: "Unexpected endpoint or method. (POST /v1/embeddings)" }, "Unexpected"],
    ["object", { error: { message: "The model crashed", code: 500 } }, "The model crashed"],
    ["list", { error: [{ message: "Out of memory" }] }, "Out of memory"],
    ["object beside data", { error: { message: "No slot" }, data: undefined }, "No slot"],
    ["body", { object: "error", message: "No such slot", code: 400 }, "No such slot"],
    ["body with empty data", { code: 500, msg: "The system is busy", data: null }, "is busy"],
    ["detail", { detail: [{ loc: ["body"], msg: "Field required" }] }, "Field required"],
    ["object in a detail", { error: { detail: "No such tokenizer" } }, "No such tokenizer"],
  ])("that is an error with 200, as %s, gives its message", async (_form, body, words) => {
    const client = await engineAnswering(() => body);

    await expect(client.embed(["a"])).rejects.toThrow(words);
  });

  // https://github.com/huggingface/text-embeddings-inference/issues/378
  it.each([
    [413, { message: "batch size 32 > maximum allowed batch size 10", type: "Validation" }],
    [400, { error: { message: "batch size is invalid, it should not be larger than 10" } }],
    // https://github.com/nantobv/pituitary/issues/205
    [500, { error: "llama_decode returned -1" }],
    [400, { error: { message: "Too many tokens overall, split into more batches." } }],
    [400, { error: { message: "Requested 400000 tokens, max 300000 tokens per request" } }],
    [
      400,
      { error: { message: "'$.input' is invalid. Array too long: expected at most 10 items" } },
    ],
    [422, { detail: [{ msg: "List should have at most 10 items after validation, not 20" }] }],
    [413, "<html><title>413 Request Entity Too Large</title></html>"],
  ])(
    "that are too many for one request are requested in smaller parts: %i %o",
    async (status, refusal) => {
      const sizes: number[] = [];
      const isRefused = (inputs: readonly string[]) => inputs.length > 10;
      const client = await engineAnswering(
        (inputs) => {
          if (inputs.length > 0) sizes.push(inputs.length);
          const data = inputs.map((text) => ({ embedding: [text.length] }));
          return isRefused(inputs) ? refusal : { data };
        },
        (inputs) => (isRefused(inputs) ? status : 200),
      );
      const texts = Array.from({ length: 20 }, (_, index) => "x".repeat(index + 1));

      const { vectors } = await client.embed(texts);

      expect(vectors).toEqual(texts.map((text) => [text.length]));
      expect(sizes).toEqual([20, 10, 10]);
    },
  );

  it("hides a key that an error with 200 repeats", async () => {
    const { baseUrl } = await httpServer(async (request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const list = { object: "list", data: [{ id: "bge-small" }] };
      const error = { error: { message: `no ${request.headers.authorization}` } };
      response.end(JSON.stringify(request.url === "/v1/models" ? list : error));
    });
    const client = clientOf(baseUrl, { apiKey: "sk-0123456789abcdef" });

    const failure: unknown = await client.embed(["a"]).catch((thrown: unknown) => thrown);

    expect(failure).toBeInstanceOf(Error);
    expect(JSON.stringify(failure)).not.toContain("0123456789");
  });
});

it("without a model comes from the variant that the service prefers", async () => {
  const simulator = await simulateFar({
    models: [
      {
        id: "tiny-embedding-cuda-gpu:1",
        alias: "tiny-embedding",
        downloaded: false,
        task: "embeddings",
      },
      { id: "tiny-embedding-generic-cpu:1", alias: "tiny-embedding", task: "embeddings" },
    ],
  });
  const { model } = await clientOf(simulator.url).embed(TEXTS);
  expect(model).toBe("tiny-embedding-generic-cpu:1");
});
