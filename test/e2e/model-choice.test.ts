import { expect, test } from "vitest";
import { temporaryFolder } from "../temporary-folder.js";
import { hostOn, simulated } from "./simulated.js";

const A = "a-generic-cpu:1";
const B = "b-generic-cpu:1";
const WEATHER = { type: "function", function: { name: "get_weather", description: "The weather" } };

const modelCachePath = () => temporaryFolder("cache-");

test("auto uses the loaded model, or another one where the request needs it, and the result says why", async () => {
  const models = [
    { id: A, loaded: true },
    { id: B, toolCalling: true },
  ];
  const simulator = await simulated({ models, modelCachePath: await modelCachePath() });
  const host = await hostOn(simulator.url);

  const plain = await host.complete({ prompt: "Hello", model: "auto" });
  const withTools = await host.complete({ prompt: "Hello", model: "auto", tools: [WEATHER] });

  expect(plain.result).toMatchObject({ model: A, notes: [`"auto" chose ${A}, which is loaded.`] });
  expect(withTools.result).toMatchObject({ model: B });
  expect(withTools.text).toContain(`"auto" chose ${B}, which is downloaded and calls tools.`);
});

test("a request that no model can serve with auto is an error that names a model to download", async () => {
  const models = [
    { id: A, loaded: true },
    { id: B, downloaded: false, toolCalling: true },
  ];
  const simulator = await simulated({ models, modelCachePath: await modelCachePath() });
  const host = await hostOn(simulator.url);
  const { text, isError } = await host.call("complete", {
    prompt: "Hello",
    model: "auto",
    tools: [WEATHER],
  });
  expect(isError).toBe(true);
  expect(text).toContain("MODEL_NOT_CACHED: None of the models that are downloaded calls tools.");
  expect(text).toContain("b-generic-cpu:1");
});

test("models are tried in order, in complete and in the requests of a batch", async () => {
  const models = [{ id: A, loadError: "bad allocation" }, { id: B }];
  const simulator = await simulated({ models, modelCachePath: await modelCachePath() });
  const host = await hostOn(simulator.url);

  const one = await host.complete({ prompt: "Hello", models: ["nope", "a", "b"] });
  const batch = await host.call("complete_batch", {
    model: "a",
    requests: [{ prompt: "One", models: ["nope", "b"] }],
  });

  expect(one.result).toMatchObject({ model: B, status: "completed" });
  expect(one.text).toContain('Note: "nope" was not used: There is no model "nope".');
  expect(one.text).toMatch(/Note: "a" was not used: .*bad allocation/);
  expect(batch.result).toMatchObject({ results: [{ status: "completed", model: B }] });
});
