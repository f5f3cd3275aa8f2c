import { describe, expect, it } from "vitest";
import {
  autoModel,
  missingAbility,
  modelToDownload,
  type RequestNeeds,
} from "../../../src/foundry/models/auto.js";
import type { KnownModel } from "../../../src/foundry/models/model.js";
import { knownModel } from "./known-model.js";

const NOTHING: RequestNeeds = {
  tools: false,
  images: false,
  code: false,
  leastTokens: 10,
  likelyTokens: 1100,
};

/** A downloaded model that chats. */
const model = (name: string, facts: Partial<KnownModel> = {}): KnownModel =>
  knownModel(`${name}-generic-cpu:1`, {
    alias: name,
    task: "chat-completion",
    downloaded: true,
    loaded: false,
    toolCalling: false,
    vision: false,
    contextLength: 4096,
    sizeMb: 1000,
    ...facts,
  });

const chosen = (
  models: readonly KnownModel[],
  needs: Partial<RequestNeeds> = {},
  defaultName?: string,
): string | null => {
  const defaultId = models.find(({ alias }) => alias === defaultName)?.id ?? null;
  const best = autoModel(models, { ...NOTHING, ...needs }, defaultId);
  return best?.model.alias ?? null;
};

const loaded = { loaded: true };
const large = { sizeMb: 9000 };
const tools = { toolCalling: true };
const vision = { task: "vision-language-chat", vision: null };
const absent = { downloaded: false };

describe("autoModel", () => {
  it.each<[string, string | null, KnownModel[], Partial<RequestNeeds>, string?]>([
    ["the loaded model before a larger one", "a", [model("b", large), model("a", loaded)], {}],
    ["the loaded model before the default", "a", [model("b"), model("a", loaded)], {}, "b"],
    ["the default before a larger one", "a", [model("b", large), model("a")], {}, "a"],
    ["the larger of two that are downloaded", "b", [model("a"), model("b", large)], {}],
    [
      "the larger of two that are loaded",
      "b",
      [model("a", loaded), model("b", { ...loaded, ...large })],
      {},
    ],
    [
      "the first where no size is known",
      "a",
      [model("a", { sizeMb: null }), model("b", { sizeMb: null })],
      {},
    ],
    ["no model that is not downloaded", "a", [model("b", { ...large, ...absent }), model("a")], {}],
    [
      "a downloaded model before one that may be",
      "a",
      [model("b", { ...large, downloaded: null }), model("a")],
      {},
    ],
    [
      "a model of which it is not known whether it is downloaded",
      "a",
      [model("a", { downloaded: null, loaded: null })],
      {},
    ],
    [
      "no embedding model, though it is loaded",
      "a",
      [model("e", { ...loaded, task: "embeddings" }), model("a")],
      {},
    ],
    [
      "no embedding model, by its name",
      "a",
      [model("text-embedding-3", { ...loaded, task: null }), model("a")],
      {},
    ],
    [
      "no speech model",
      null,
      [model("whisper-tiny", { ...loaded, task: "automatic-speech-recognition" })],
      {},
    ],
    [
      "a model that calls tools before the loaded one",
      "a",
      [model("b", loaded), model("a", tools)],
      { tools: true },
    ],
    [
      "a model that is known to call tools before one that may",
      "a",
      [model("b", { ...loaded, toolCalling: null }), model("a", tools)],
      { tools: true },
    ],
    [
      "a model that may call tools where none is known to",
      "b",
      [model("b", { toolCalling: null }), model("a", loaded)],
      { tools: true },
    ],
    ["no model where none calls tools", null, [model("a", loaded)], { tools: true }],
    [
      "a model that takes images, by its task",
      "a",
      [model("b", loaded), model("a", vision)],
      { images: true },
    ],
    [
      "a model that takes images, by its modalities",
      "a",
      [model("b", loaded), model("a", { vision: true })],
      { images: true },
    ],
    ["no model where none takes images", null, [model("a", loaded)], { images: true }],
    [
      "a model that does both for tools and images",
      "c",
      [
        model("a", { ...tools, ...loaded }),
        model("b", vision),
        model("c", { ...vision, ...tools }),
      ],
      { tools: true, images: true },
    ],
    [
      "a model with the context for the prompt",
      "a",
      [model("b", loaded), model("a", { contextLength: 131_072 })],
      { leastTokens: 9000, likelyTokens: 11_000 },
    ],
    [
      "a model in which the answer fits, too",
      "a",
      [model("b", loaded), model("a", { contextLength: 8192 })],
      { leastTokens: 2000, likelyTokens: 5000 },
    ],
    [
      "the loaded model for a short prompt, though its context is not known",
      "b",
      [model("b", { ...loaded, contextLength: null }), model("a")],
      {},
    ],
    [
      "no model where the prompt fits none",
      null,
      [model("a", loaded), model("b")],
      { leastTokens: 9000, likelyTokens: 11_000 },
    ],
    [
      "the model for code, by its task",
      "a",
      [model("b", loaded), model("a", { task: "coding" })],
      { code: true },
    ],
    [
      "the model for code, by its name",
      "qwen2.5-coder-7b",
      [model("b", loaded), model("qwen2.5-coder-7b")],
      { code: true },
    ],
    ["any model for code where none is made for it", "b", [model("b", loaded)], { code: true }],
    [
      "the model for code last of nothing: it answers other requests, too",
      "a",
      [model("b"), model("a", { ...loaded, task: "coding" })],
      {},
    ],
    ["none where there is none", null, [], {}],
  ])("takes %s", (_what, expected, models, needs, defaultName) => {
    expect(chosen(models, needs, defaultName)).toBe(expected);
  });

  it("chooses the newest version of a model, unless an older version is loaded", () => {
    const old = knownModel("a-generic-cpu:1", { downloaded: true, loaded: false });
    const young = knownModel("a-generic-cpu:2", { downloaded: true, loaded: false });
    const idOf = (models: KnownModel[]) => autoModel(models, NOTHING, null)?.model.id;
    expect(idOf([old, young])).toBe("a-generic-cpu:2");
    expect(idOf([young, { ...old, loaded: true }])).toBe("a-generic-cpu:1");
  });

  it("reports why", () => {
    const why = (models: KnownModel[], needs: Partial<RequestNeeds>) =>
      autoModel(models, { ...NOTHING, ...needs }, models[0]?.id ?? null)?.reason;
    expect(why([model("a", loaded)], {})).toBe(
      '"auto" chose a-generic-cpu:1, which is loaded and is the default model.',
    );
    expect(why([model("b", absent), model("a", large), model("c")], {})).toBe(
      '"auto" chose a-generic-cpu:1, which is downloaded and is the largest.',
    );
    expect(why([model("b", absent), model("a", large), model("c", { sizeMb: null })], {})).toBe(
      '"auto" chose a-generic-cpu:1, which is downloaded.',
    );
    expect(
      why([model("b", absent), model("a", { ...tools, ...vision })], { tools: true, images: true }),
    ).toBe('"auto" chose a-generic-cpu:1, which is downloaded, calls tools and takes images.');
    expect(why([model("b", absent), model("a", { toolCalling: null })], { tools: true })).toBe(
      '"auto" chose a-generic-cpu:1, which is downloaded; it is not known whether it calls tools.',
    );
  });

  it("is as quick for a catalog of ten thousand models", () => {
    const models = Array.from({ length: 10_000 }, (_, at) => model(`model-${at}`, { sizeMb: at }));
    expect(chosen(models, { code: true, tools: false })).toBe("model-9999");
  });
});

describe("the message about a request that no model can serve", () => {
  it.each<[string, KnownModel[], Partial<RequestNeeds>]>([
    ["can chat", [model("e", { task: "embeddings" })], {}],
    ["can chat", [model("a", absent)], { tools: true }],
    ["calls tools", [model("a"), model("b")], { tools: true }],
    ["takes images", [model("a", tools)], { tools: true, images: true }],
    [
      "has a context of 11000 tokens",
      [model("a", loaded)],
      { leastTokens: 9000, likelyTokens: 11_000 },
    ],
    [
      "calls tools, takes images and has a context of 1100 tokens",
      [model("a", tools), model("b", { vision: true })],
      { tools: true, images: true },
    ],
  ])("are: none %s", (words, models, needs) => {
    expect(missingAbility(models, { ...NOTHING, ...needs })).toBe(words);
  });

  it.each<[string | null, KnownModel[], Partial<RequestNeeds>]>([
    ["b", [model("a"), model("b", { ...absent, ...tools })], { tools: true }],
    [
      "c",
      [model("b", { ...absent, toolCalling: null }), model("c", { ...absent, ...tools })],
      { tools: true },
    ],
    ["phi-4-mini", [model("b", absent), model("phi-4-mini", absent)], {}],
    [null, [model("a"), model("b", absent)], { images: true }],
    ["v", [model("phi-4-mini", absent), model("v", { ...absent, ...vision })], { images: true }],
  ])("name %s to download", (alias, models, needs) => {
    const found = modelToDownload(models, { ...NOTHING, ...needs }, "phi-4-mini");
    expect(found?.alias ?? null).toBe(alias);
  });
});
