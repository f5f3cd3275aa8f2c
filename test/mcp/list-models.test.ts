import { describe, expect, it } from "vitest";
import { cacheFolder, connectedHost, simulatedService, textOf } from "./host.js";

const MODELS = [
  { id: "alpha-generic-cpu:1", loaded: true },
  { id: "beta-generic-cpu:1" },
  { id: "beta-embed-generic-cpu:2", task: "embeddings" },
  { id: "gamma-generic-cpu:3" },
] as const;

async function list(given: Record<string, unknown>) {
  const service = await simulatedService({ models: MODELS });
  const { host } = await connectedHost({ endpoint: service.url });
  await host.listTools();
  const answer = await host.callTool({ name: "list_models", arguments: given });
  const result = Object(answer.structuredContent);
  const ids = result.models.map(({ id }: { id: string }) => id);
  return { ids, result, text: textOf(answer) };
}

describe("list_models", () => {
  it("includes models whose download state is unknown, with a note", async () => {
    const { ids, result, text } = await list({});
    expect(ids.length).toBe(4);
    expect(result.models[1]).not.toHaveProperty("downloaded");
    expect(result.notes).toEqual([expect.stringMatching(/does not report which/)]);
    expect(text).toMatch(/does not report which of these models are downloaded/);
  });

  it("lists only loaded models with filter `loaded`", async () => {
    const { ids, text } = await list({ filter: "loaded" });
    expect(ids).toEqual(["alpha-generic-cpu:1"]);
    expect(text).toContain("loaded");
  });

  it("searches alias and id in any case", async () => {
    const { ids } = await list({ search: "BETA" });
    expect(ids).toEqual(["beta-generic-cpu:1", "beta-embed-generic-cpu:2"]);
  });

  it("reports how many models exceed the limit", async () => {
    const { ids, result, text } = await list({ limit: 1 });
    expect(ids.length).toBe(1);
    expect(result.truncated).toBe(true);
    expect(text).toContain("3 more");
  });

  it.each([{}, { filter: "all" }, { filter: "loaded" }, { search: "x" }, { task: "chat" }])(
    "advises to try a model by its name where the list is empty: %j",
    async (given) => {
      const service = await simulatedService({ dialect: "openai", models: [] });
      const { host } = await connectedHost({ endpoint: service.url });
      const answer = await host.callTool({ name: "list_models", arguments: given });
      expect(answer.isError).toBeFalsy();
      expect(textOf(answer)).toContain(
        "The service lists no models; health_check reports why. Engines other than Foundry Local may have models that they do not list: try one by its name in complete.",
      );
    },
  );

  it("reports that no model matches", async () => {
    const { ids, result, text } = await list({ search: "no-such-model" });
    expect(ids).toEqual([]);
    expect(result).not.toHaveProperty("truncated");
    expect(result.next).toBe("None of the service's 4 models fits; leave search and task out.");
    expect(text).toContain("None of the service's 4 models fits; leave search and task out.");
  });

  it.each([
    [
      "a match is not downloaded",
      { search: "beta" },
      'No matching model is downloaded; filter "all" lists 1 model.',
    ],
    ["no model has the task", { task: "embeddings" }, "leave search and task out."],
    [
      "a match is not loaded",
      { search: "beta", filter: "loaded" },
      'No matching model is loaded; filter "all" lists 1 model.',
    ],
    ["no model is downloaded", {}, 'No model is downloaded; filter "all" lists 2 models.'],
    ["no model is loaded", { filter: "loaded" }, "No model is known to be loaded."],
  ])("says what lists more where %s", async (_, given, words) => {
    const service = await simulatedService({
      models: [
        { id: "beta-generic-cpu:1", downloaded: false },
        { id: "gamma-generic-cpu:3", downloaded: false },
      ],
      modelCachePath: await cacheFolder(),
    });
    const { host } = await connectedHost({ endpoint: service.url });
    const answer = await host.callTool({ name: "list_models", arguments: given });
    expect(textOf(answer)).toContain(words);
  });
});
