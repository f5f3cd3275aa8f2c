import { describe, expect, it } from "vitest";
import { cacheFolder, connectedHost, simulatedService } from "./host.js";

const MODELS = [
  { id: "absent-generic-cpu:1", downloaded: false },
  { id: "tiny-generic-cpu:1", loaded: true, script: { text: "Hello." } },
  { id: "not-tiny-generic-cpu:1" },
  { id: "embedder-generic-cpu:1", task: "embeddings" },
];

const service = async () =>
  simulatedService({ models: MODELS, modelCachePath: await cacheFolder() });

async function completing(options?: { endpoint: string }) {
  const endpoint = options?.endpoint ?? (await service()).url;
  const { host, foundry } = await connectedHost({ endpoint });
  const valuesFor = async (name: string, value: string, ref: object = PROMPT) => {
    const { completion } = await host.complete({
      ref: { type: "ref/prompt", name: "ask_local", ...ref },
      argument: { name, value },
    });
    return completion.values;
  };
  return { host, foundry, valuesFor };
}

const PROMPT = { type: "ref/prompt", name: "ask_local" } as const;
const COMPLETION = { type: "ref/resource", uri: "foundry://completions/{id}" } as const;

describe("the completion of an argument", () => {
  it("lists the models that can chat, downloaded ones first", async () => {
    const { valuesFor } = await completing();

    expect(await valuesFor("model", "")).toEqual(["tiny", "not-tiny", "absent"]);
  });

  it("lists values that begin with the typed text or contain it", async () => {
    const { valuesFor } = await completing();

    expect(await valuesFor("model", "TINY")).toEqual(["tiny", "not-tiny"]);
    expect(await valuesFor("model", "zebra")).toEqual([]);
  });

  it("completes the last of several names, and repeats none", async () => {
    const { valuesFor } = await completing();

    expect(await valuesFor("models", "tiny, n")).toEqual(["tiny, not-tiny", "tiny, absent"]);
  });

  it("proposes nothing for a list that is too long to be repeated in each proposal", async () => {
    const { valuesFor } = await completing();

    expect(await valuesFor("models", "tiny,".repeat(2000))).not.toEqual([]);
    expect(await valuesFor("models", "tiny,".repeat(2001))).toEqual([]);
  });

  it("lists the ids of completions for the URI of a completion", async () => {
    const { host, foundry, valuesFor } = await completing();
    await host.callTool({ name: "complete", arguments: { prompt: "Hi", model: "tiny" } });
    const ids = foundry.completions.list().map(({ id }) => id);

    expect(ids).toHaveLength(1);
    expect(await valuesFor("id", "c-", COMPLETION)).toEqual(ids);
  });

  it("is empty for other arguments, and where no service answers", async () => {
    const { valuesFor } = await completing({ endpoint: "http://127.0.0.1:1" });

    expect(await valuesFor("question", "a")).toEqual([]);
    expect(await valuesFor("model", "t")).toEqual([]);
  });
});
