import { describe, expect, it } from "vitest";
import type { CompletionRequest } from "../../src/foundry/index.js";
import { type Routes, routed } from "../../src/jobs/routes.js";
import { MODEL, talker } from "./fixtures.js";

const ROUTES: Routes = {
  code: { model: "coder", system: "Answer with code only.", temperature: 0, maxTokens: 500 },
  Quick: { models: ["small", "auto"], reasoning: "off" },
  creative: { temperature: 1.2 },
  coder: { model: "another" },
};
const prompt = "Hi";

it.each([null, 5, "small"])("models that are no list are refused: %j", async (models) => {
  const { client } = await talker({ text: "Yes." }, {}, { routes: ROUTES });
  const request = Object({ prompt, model: "code", models });
  await expect(client.complete(request)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});

describe("the request of a route", () => {
  it.each<[string, CompletionRequest, CompletionRequest]>([
    ["no model", { prompt }, { prompt }],
    ["a model", { prompt, model: "phi-4-mini" }, { prompt, model: "phi-4-mini" }],
    ["its settings", { prompt, model: "code" }, { prompt, ...ROUTES["code"] }],
    ["its settings, in any case", { prompt, model: " CODE " }, { prompt, ...ROUTES["code"] }],
    [
      "the settings of the request before its own",
      { prompt, model: "code", system: "Be kind.", temperature: 0.5, topP: 0.1 },
      { prompt, model: "coder", system: "Be kind.", temperature: 0.5, topP: 0.1, maxTokens: 500 },
    ],
    [
      "its settings where those of the request are undefined",
      { prompt, model: "code", system: undefined, temperature: undefined },
      { prompt, ...ROUTES["code"] },
    ],
    [
      "its models",
      { prompt, model: "quick" },
      { prompt, models: ["small", "auto"], reasoning: "off" },
    ],
    [
      "its models before those of the request",
      { prompt, model: "quick", models: ["large"] },
      { prompt, models: ["small", "auto", "large"], reasoning: "off" },
    ],
    [
      "the default model where it has none",
      { prompt, model: "creative" },
      { prompt, temperature: 1.2 },
    ],
    ["a route once", { prompt, model: "code" }, { prompt, ...ROUTES["code"], model: "coder" }],
    ["no route of its models", { prompt, models: ["code"] }, { prompt, models: ["code"] }],
  ])("has %s", (_what, request, expected) => {
    expect(JSON.parse(JSON.stringify(routed(request, ROUTES)))).toEqual(expected);
  });

  it.each([null, undefined, 7, "text", { model: 7 }])(
    "is unchanged without a route: %j",
    (given) => {
      const request: CompletionRequest = Object(given);
      expect(routed(request, ROUTES)).toBe(request);
    },
  );
});

describe("the routes of a client", () => {
  const start = async (routes: Routes, options = {}) => {
    const { client, chats } = await talker({ text: "Hello." }, {}, { routes, ...options });
    return { client, bodies: () => chats().map(({ body }) => Object(body)) };
  };

  it("set the values that are sent", async () => {
    const { client, bodies } = await start({
      code: { model: "talker", system: "Answer with code only.", temperature: 0, maxTokens: 500 },
    });
    const { model, text } = await client.complete({ prompt, model: "code" });
    expect([model, text]).toEqual([MODEL, "Hello."]);
    expect(bodies()).toMatchObject([
      {
        model: MODEL,
        temperature: 0,
        max_tokens: 500,
        messages: [
          { role: "system", content: "Answer with code only." },
          { role: "user", content: prompt },
        ],
      },
    ]);
  });

  it("take precedence over a model of the same name", async () => {
    const { client, bodies } = await start({ talker: { model: "talker", temperature: 0.1 } });
    await client.complete({ prompt, model: "talker" });
    await client.complete({ prompt, model: MODEL });
    expect(bodies().map(({ temperature }) => temperature)).toEqual([0.1, undefined]);
  });

  it("apply to each request of a batch, and to a completion that outlives its call", async () => {
    const { client, bodies } = await start({ cold: { model: "talker", temperature: 0 } });
    for await (const { state } of client.completeBatch([{ prompt, model: "cold" }])) {
      expect(state.text).toBe("Hello.");
    }
    const { state } = client.completions.start({ prompt, model: "cold" });
    expect(await client.completions.wait(state.id)).toMatchObject({ status: "completed" });
    expect(bodies().map(({ temperature }) => temperature)).toEqual([0, 0]);
  });

  it("make answers repeatable, so that they are cached and joined", async () => {
    const { client, bodies } = await start(
      { cold: { model: "talker", temperature: 0 } },
      { cache: 10 },
    );
    await client.complete({ prompt, model: "cold" });
    expect(await client.complete({ prompt, model: "cold" })).toMatchObject({ cached: true });
    expect(bodies()).toHaveLength(1);
  });

  it.each([
    [{ code: { temperature: 3 } }, "code.temperature"],
    [{ code: { modle: "x" } }, "modle"],
    [{ code: "x" }, "code"],
    [{ code: { models: [] } }, "code.models"],
    ["x", "routes"],
  ])("are validated: %j", async (routes, name) => {
    await expect(start(Object(routes))).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(name),
    });
  });
});
