import type { SimulatorOptions } from "foundry-local-simulator";
import { describe, expect, it } from "vitest";
import { connectedHost, simulatedService } from "./host.js";

const LIBRARY_NAMES = /the option `\w+`|`(?:\w+\.)?[a-z]+[A-Z]\w+`|`completions\.\w+`/;

/** This service downloads by itself. */
const MISSING = {
  dialect: "S",
  models: [{ id: "tiny-generic-cpu:1", alias: "tiny", downloaded: false }],
} as const;
const LOADED = { models: [{ id: "tiny-generic-cpu:1", alias: "tiny", loaded: true }] };
const LOCKED = { dialect: "openai", apiKey: "k" } as const;

type Case = readonly [
  what: string,
  tool: string,
  given: Record<string, unknown>,
  service: SimulatorOptions,
  named: string,
];

const CASES: readonly Case[] = [
  ["a failure", "complete", { prompt: "Hi", model: "tiny" }, MISSING, "load_model"],
  ["a warning", "complete", { prompt: "Hi" }, LOADED, "FOUNDRY_MODEL"],
  ["a failure without a result", "load_model", { model: "nope" }, LOADED, "list_models"],
  ["a refused key", "list_models", {}, LOCKED, "FOUNDRY_API_KEY"],
  ["a problem", "health_check", {}, LOCKED, "FOUNDRY_API_KEY"],
  ["an id", "get_completion", { completion_ids: ["c-x"] }, {}, "get_completion without ids"],
  ["an item", "complete_batch", { prompts: ["Hi"], model: "tiny" }, MISSING, "load_model"],
];

describe("a result that names what to use next", () => {
  it.each(CASES)(
    "%s of %s names tools and settings",
    async (_what, name, given, service, named) => {
      const { url } = await simulatedService(service);
      const { host } = await connectedHost({ endpoint: url });
      await host.listTools();

      const answer = JSON.stringify(await host.callTool({ name, arguments: given }));

      expect(answer).toContain(named);
      expect(answer).not.toMatch(LIBRARY_NAMES);
    },
  );

  it("does not change what a model wrote", async () => {
    const text = "Call `loadModel`, or set the option `endpoint`.";
    const model = { id: "tiny-generic-cpu:1", loaded: true, script: { text } };
    const { url } = await simulatedService({ models: [model] });
    const { host } = await connectedHost({ endpoint: url });
    await host.listTools();

    const given = { prompt: "Hi", model: "tiny-generic-cpu:1" };
    const answer = await host.callTool({ name: "complete", arguments: given });

    expect(answer).toMatchObject({
      content: [{ type: "text", text }],
      structuredContent: { text },
    });
  });

  it("is also read as a resource", async () => {
    const { url } = await simulatedService(MISSING);
    const { host, foundry } = await connectedHost({ endpoint: url });
    const { id } = foundry.completions.start({ prompt: "Hi", model: "tiny" }).state;
    await foundry.completions.wait(id);

    const read = await host.readResource({ uri: `foundry://completions/${id}/state` });

    expect(JSON.stringify(read)).toContain("load_model");
    expect(JSON.stringify(read)).not.toMatch(LIBRARY_NAMES);
  });
});
