import type { SimulatorOptions } from "foundry-local-simulator";
import { describe, expect, it } from "vitest";
import { askedOf, clientOf, simulate, simulateFar } from "../fixtures.js";

type Models = NonNullable<SimulatorOptions["models"]>;

const A = "a-generic-cpu:1";
const B = "b-generic-cpu:1";
const EMBEDDER = { id: "embedder-generic-cpu:1", task: "embeddings" };
const prompt = "Hello";

const foundry = [
  ["S", { dialect: "S" }],
  ["C1", { dialect: "C1" }],
  ["C2 2.0.1", { dialect: "C2", version: "2.0.1" }],
  ["C2 2.2.1", { dialect: "C2" }],
] as const;
/** A service of the first generation, one of the latest, and another engine. */
const services = [foundry[0], foundry[3], ["an engine", { dialect: "openai" }]] as const;

const start = async (options: SimulatorOptions, models: Models) => {
  const simulator = await simulate({ ...options, models });
  const chats = () =>
    askedOf(simulator, "/v1/chat/completions").map(({ body }) => Object(body).model);
  return { simulator, client: clientOf(simulator.url), chats };
};

describe.each(services)("the order of preference on %s", (_name, options) => {
  it("uses the first model where possible, without a warning", async () => {
    const { client, chats } = await start(options, [
      { id: A, loaded: true },
      { id: B, loaded: true },
    ]);
    const { model, warnings } = await client.complete({ prompt, models: ["b", "a"] });
    expect([model, warnings]).toEqual([B, []]);
    expect(new Set(chats())).toEqual(new Set([B]));
  });

  it("skips unknown models, with a warning", async () => {
    const { client } = await start(options, [{ id: A, loaded: true }]);
    const { model, warnings } = await client.complete({
      prompt,
      model: "nope",
      models: ["neither", "a"],
    });
    expect(model).toBe(A);
    expect(warnings).toEqual([
      '"nope" was not used: There is no model "nope".',
      '"neither" was not used: There is no model "neither".',
    ]);
  });

  it("fails with the first failure where none can be used, and names the others", async () => {
    const { client, chats } = await start(options, [{ id: A, loaded: true }]);
    await expect(client.complete({ prompt, models: ["nope", "neither"] })).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
      message: 'There is no model "nope". "neither" was not used: There is no model "neither".',
    });
    expect(chats()).toEqual([]);
  });

  it("tries no other model where the completion itself fails", async () => {
    const { client, chats } = await start(options, [
      { id: A, loaded: true, script: { text: "x", failAfterTokens: 0, failure: "boom" } },
      { id: B, loaded: true },
    ]);
    await expect(client.complete({ prompt, models: ["a", "b"] })).rejects.toThrow();
    expect(new Set(chats())).toEqual(new Set([A]));
  });

  it("tries no other model once text was delivered, whatever the failure", async () => {
    const { client, chats } = await start(options, [
      {
        id: A,
        loaded: true,
        script: { text: "one two three", failAfterTokens: 2, failure: "CUDA out of memory" },
      },
      { id: B, loaded: true },
    ]);
    const events = client.streamComplete({ prompt, models: ["a", "b"] });
    let text = "";
    const read = async () => {
      for await (const event of events) if (event.type === "text") text += event.text;
    };
    // The legacy service only breaks the stream off.
    const code = expect.stringMatching(/^(INSUFFICIENT_MEMORY|STREAM_INTERRUPTED)$/);
    await expect(read()).rejects.toMatchObject({ code });
    expect(text).toBe("one two");
    expect(new Set(chats())).toEqual(new Set([A]));
  });
});

describe.each(foundry)("unusable models on %s", (_name, options) => {
  it("are skipped where they are for another task", async () => {
    const { client } = await start(options, [
      { ...EMBEDDER, loaded: true },
      { id: A, loaded: true },
    ]);
    const { model, warnings } = await client.complete({ prompt, models: [EMBEDDER.id, "a"] });
    expect(model).toBe(A);
    expect(warnings).toHaveLength(1);
  });

  it("are skipped: one that is not downloaded, and one that fails to load", async () => {
    const { client, chats } = await start(options, [
      { id: A, downloaded: false },
      { id: B, loadError: "bad allocation" },
      { id: "c-generic-cpu:1" },
    ]);
    const { model, warnings } = await client.complete({ prompt, models: ["a", "b", "c"] });
    expect(model).toBe("c-generic-cpu:1");
    expect(warnings[0]).toMatch(/^"a" was not used: .*not downloaded/);
    expect(warnings[1]).toMatch(/^"b" was not used: .*b-generic-cpu:1/);
    expect(warnings).toHaveLength(2);
    expect(chats()).toEqual(["c-generic-cpu:1"]);
  });

  it("lead to the error of the downloadable model, where none can be used", async () => {
    const { client } = await start(options, [
      { id: A, loadError: "bad allocation" },
      { id: B, downloaded: false },
    ]);
    await expect(client.complete({ prompt, models: ["a", "b"] })).rejects.toMatchObject({
      code: "MODEL_NOT_CACHED",
      message: expect.stringMatching(/b-generic-cpu:1.*not downloaded.*"a" was not used/),
      action: expect.stringContaining("download"),
    });
  });

  it("are skipped by auto, too", async () => {
    const { client } = await start(options, [
      { id: A, sizeMb: 900, loadError: "bad allocation" },
      { id: B, sizeMb: 300 },
    ]);
    const { model, warnings } = await client.complete({ prompt, model: "auto" });
    expect(model).toBe(B);
    expect(warnings[0]).toMatch(/^"a-generic-cpu:1" was not used: /);
    expect(warnings[1]).toMatch(/^"auto" chose b-generic-cpu:1, which is downloaded/);
  });

  it("leave auto with their failure where there is no other model", async () => {
    const { client, simulator } = await start(options, [
      { id: A, loadError: "Protobuf parsing failed" },
      EMBEDDER,
    ]);
    await expect(client.complete({ prompt, model: "auto" })).rejects.toMatchObject({
      code: "LOAD_FAILED",
    });
    expect(simulator.loaded).toEqual([]);
  });
});

describe.each(foundry)("auto on %s", (_name, options) => {
  it("uses the loaded model, and reports why", async () => {
    const { client } = await start(options, [
      { ...EMBEDDER, loaded: true },
      { id: A, sizeMb: 900 },
      { id: B, sizeMb: 300, loaded: true },
    ]);
    const { model, warnings } = await client.complete({ prompt, model: "Auto" });
    expect(model).toBe(B);
    expect(warnings).toEqual([`"auto" chose ${B}, which is loaded.`]);
  });

  it("loads a model that calls tools where the loaded one does not", async () => {
    const { client } = await start(options, [
      { id: A, sizeMb: 300, toolCalling: true },
      { id: B, sizeMb: 900, loaded: true },
    ]);
    const tool = { type: "function" as const, function: { name: "get_weather" } };
    const { model } = await client.complete({ prompt, model: "auto", tools: [tool] });
    expect(model).toBe(A);
  });

  it("loads a model whose context fits the prompt", async () => {
    const { client } = await start(options, [
      { id: A, sizeMb: 300, contextLength: 32_768 },
      { id: B, sizeMb: 900, contextLength: 4096, loaded: true },
    ]);
    const { model } = await client.complete({ prompt: "word ".repeat(6000), model: "auto" });
    expect(model).toBe(A);
  });

  it("fails with what is missing and what to download where no model can serve the request", async () => {
    const { client, simulator } = await start(options, [
      { id: A, loaded: true },
      { id: B, downloaded: false, toolCalling: true },
    ]);
    const tool = { type: "function" as const, function: { name: "get_weather" } };
    await expect(client.complete({ prompt, model: "auto", tools: [tool] })).rejects.toMatchObject({
      code: "MODEL_NOT_CACHED",
      message: "None of the models that are downloaded calls tools.",
      action: expect.stringMatching(/download b\b/),
    });
    expect(askedOf(simulator, "/v1/chat/completions")).toEqual([]);
  });

  it("is the default of a client", async () => {
    const simulator = await simulate({ ...options, models: [{ id: A, loaded: true }] });
    const client = clientOf(simulator.url, { model: "auto" });
    expect((await client.complete({ prompt })).model).toBe(A);
    const { problems } = await client.healthCheck();
    expect(problems).toEqual([]);
  });

  it("may be one of several models in order of preference", async () => {
    const { client } = await start(options, [{ id: A, loaded: true }]);
    const { model, warnings } = await client.complete({ prompt, models: ["nope", "auto"] });
    expect(model).toBe(A);
    expect(warnings).toHaveLength(2);
  });
});

describe("auto where nothing says what is downloaded", () => {
  it("prefers no second model for code after one that is not downloaded", async () => {
    const missing = ["one", "two", "three"].map((name) => ({
      id: `${name}-coder-generic-cpu:1`,
      downloaded: false,
    }));
    const simulator = await simulateFar({ dialect: "C2", models: [{ id: A }, ...missing] });
    const request = { prompt: "Fix this function: f(", model: "auto" };
    const { model, warnings } = await clientOf(simulator.url).complete(request);
    expect(model).toBe(A);
    expect(warnings).toHaveLength(2);
  });
});

describe("auto on another engine", () => {
  it("uses the first model that can chat, or the default", async () => {
    const models = [EMBEDDER, { id: "one:1" }, { id: "two:1" }];
    const simulator = await simulate({ dialect: "openai", models });
    expect(await clientOf(simulator.url).complete({ prompt, model: "auto" })).toMatchObject({
      model: "one:1",
      warnings: ['"auto" chose one:1, which is listed.'],
    });
    expect(
      await clientOf(simulator.url, { model: "two:1" }).complete({ prompt, model: "auto" }),
    ).toMatchObject({ model: "two:1" });
  });

  it("means a model named auto where the engine has one", async () => {
    const simulator = await simulate({
      dialect: "openai",
      models: [{ id: "one:1" }, { id: "auto:1" }],
    });
    const { model, warnings } = await clientOf(simulator.url).complete({ prompt, model: "auto" });
    expect([model, warnings]).toEqual(["auto:1", []]);
  });

  it("is an error where the engine lists only embedding models", async () => {
    const simulator = await simulate({ dialect: "openai", models: [{ id: "text-embedding:3" }] });
    await expect(clientOf(simulator.url).complete({ prompt, model: "auto" })).rejects.toMatchObject(
      {
        code: "MODEL_NOT_FOUND",
        message: "None of the models that this engine lists can chat.",
      },
    );
  });
});

describe("an invalid order of preference", () => {
  it.each([[[]], [[""]], [["a", " "]], ["a"], [Array.from({ length: 11 }, (_, at) => `m${at}`)]])(
    "is refused: %j",
    async (models) => {
      const client = clientOf("http://127.0.0.1:9");
      const request = Object({ prompt, models });
      await expect(client.complete(request)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    },
  );
});
