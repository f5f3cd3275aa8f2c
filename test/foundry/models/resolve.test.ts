import { describe, expect, it } from "vitest";
import {
  findModel,
  nearestNames,
  resolveModel,
  unlistedModel,
} from "../../../src/foundry/models/resolve.js";
import { knownModel } from "./known-model.js";

const variants = [
  knownModel("Phi-4-mini-instruct-cuda-gpu:5", { alias: "phi-4-mini" }),
  knownModel("Phi-4-mini-instruct-generic-gpu:5", { alias: "phi-4-mini" }),
  knownModel("Phi-4-mini-instruct-generic-cpu:5", { alias: "phi-4-mini" }),
];

describe("resolveModel", () => {
  it.each([
    ["an alias", "phi-4-mini"],
    ["an alias in another case", "PHI-4-Mini"],
    ["an alias with blanks around it", "  phi-4-mini\n"],
    ["the base of the ids", "phi-4-mini-instruct"],
  ])("resolves %s to the first variant when none is ready", (_what, typed) => {
    expect(resolveModel(typed, variants).id).toBe("Phi-4-mini-instruct-cuda-gpu:5");
  });

  it.each([
    ["an id", "Phi-4-mini-instruct-generic-cpu:5"],
    ["an id in another case", "phi-4-MINI-instruct-generic-cpu:5"],
    ["a name without version", "phi-4-mini-instruct-generic-cpu"],
  ])("resolves %s to that variant, even if another one is loaded", (_what, typed) => {
    const models = variants.map((model) =>
      model.id.includes("cuda") ? { ...model, loaded: true, downloaded: true } : model,
    );
    expect(resolveModel(typed, models).id).toBe("Phi-4-mini-instruct-generic-cpu:5");
  });

  it("prefers the loaded variant to the downloaded one, and that to the order", () => {
    const [first, second, third] = variants.map((model) => model.id);
    const ready = (downloaded: string | undefined, loaded: string | undefined) =>
      variants.map((model) => ({
        ...model,
        downloaded: model.id === downloaded || model.id === loaded,
        loaded: model.id === loaded,
      }));
    expect(resolveModel("phi-4-mini", ready(second, third)).id).toBe(third);
    expect(resolveModel("phi-4-mini", ready(second, undefined)).id).toBe(second);
    expect(resolveModel("phi-4-mini", ready(undefined, undefined)).id).toBe(first);
  });

  it("chooses the newest of several versions of a name, whatever their order", () => {
    const models = [
      knownModel("two-versions-generic-cpu:2"),
      knownModel("two-versions-generic-cpu:10"),
      knownModel("two-versions-generic-cpu:1"),
    ];
    expect(resolveModel("two-versions-generic-cpu", models).version).toBe(10);
    expect(resolveModel("two-versions-generic-cpu", models.toReversed()).version).toBe(10);
  });

  it("prefers an older version that is loaded or downloaded", () => {
    const models = [
      knownModel("two-versions-generic-cpu:1", { downloaded: true }),
      knownModel("two-versions-generic-cpu:2", { downloaded: false }),
    ];
    expect(resolveModel("two-versions-generic-cpu", models).version).toBe(1);
  });

  it("prefers an id to an alias of another model", () => {
    const models = [
      knownModel("other-generic-cpu:1", { alias: "talker", loaded: true }),
      knownModel("talker", { loaded: false }),
    ];
    expect(resolveModel("talker", models).id).toBe("talker");
  });

  it("chooses among the variants for the requested device", () => {
    expect(resolveModel("phi-4-mini", variants, "cpu").id).toBe(
      "Phi-4-mini-instruct-generic-cpu:5",
    );
  });

  it("fails with the available devices when the requested one is not among them", () => {
    expect(() => resolveModel("phi-4-mini", variants, "npu")).toThrowError(
      expect.objectContaining({
        code: "MODEL_NOT_FOUND",
        message: 'The model "phi-4-mini" has no variant for the npu.',
        action: expect.stringContaining("gpu, cpu"),
      }),
    );
  });

  const cpu = knownModel("Phi-4-mini-instruct-generic-cpu:5", { alias: "phi-4-mini" });
  it.each([
    [
      "is downloaded",
      { ...cpu, downloaded: true },
      "It has variants for: cpu. Choose one of these, or leave device out, which loads Phi-4-mini-instruct-generic-cpu:5.",
    ],
    [
      "is not downloaded",
      { ...cpu, downloaded: false },
      "It has variants for: cpu. Choose one of these, or leave device out.",
    ],
    [
      "is of an unknown device",
      knownModel("Phi-4-mini", { downloaded: true, family: "local" }),
      "The devices of its variants are not known. Leave device out, which loads Phi-4-mini.",
    ],
    [
      "is of an unknown device and not downloaded",
      knownModel("Phi-4-mini", { downloaded: false }),
      "The devices of its variants are not known. Leave device out.",
    ],
    [
      "is loaded",
      { ...cpu, downloaded: true, loaded: true },
      "It has variants for: cpu. Choose one of these, or leave device out, which loads Phi-4-mini-instruct-generic-cpu:5.",
    ],
  ])("says what to do without that device where another variant %s", (_, model, action) => {
    expect(() => resolveModel("phi-4-mini", [model], "gpu")).toThrowError(
      expect.objectContaining({ code: "MODEL_NOT_FOUND", action }),
    );
  });

  it.each(["llama3.1:8b", "Qwen/Qwen2.5-7B-Instruct", "mistral", "openai/gpt-4o", "m.gguf"])(
    "ignores the device for %s where the engine names no devices",
    (id) => {
      expect(resolveModel(id, [knownModel(id)], "gpu").id).toBe(id);
    },
  );

  it("fails for an unknown name with the three nearest existing ones", () => {
    const models = ["phi-4", "phi-4-mini", "phi-3.5-mini", "qwen2.5-0.5b", "gpt-oss-20b"].map(
      (alias) => knownModel(`${alias}-generic-cpu:1`, { alias }),
    );
    expect(() => resolveModel("phi4-mini", models)).toThrowError(
      expect.objectContaining({
        code: "MODEL_NOT_FOUND",
        message: 'There is no model "phi4-mini".',
        action:
          'Did you mean "phi-4-mini", "phi-3.5-mini", "phi-4"? `listModels` lists all models.',
      }),
    );
  });

  const catalog = [
    knownModel("phi-4-generic-cpu:1", { alias: "phi-4", downloaded: true }),
    knownModel("qwen2.5-0.5b-generic-cpu:1", { alias: "qwen2.5-0.5b", downloaded: true }),
    knownModel("nomic-embed-text:1", { downloaded: true }),
    knownModel("mistral-7b-generic-cpu:1", { alias: "mistral-7b", downloaded: false }),
  ];
  it.each([
    ["llama3", 'Downloaded: "phi-4", "qwen2.5-0.5b".'],
    ["n", 'Downloaded: "phi-4", "qwen2.5-0.5b".'],
    ["nope", 'Downloaded: "phi-4", "qwen2.5-0.5b".'],
    ["gpt-oss-20b", 'Downloaded: "phi-4", "qwen2.5-0.5b".'],
    ["mistral", 'Did you mean "mistral-7b"? Downloaded: "phi-4", "qwen2.5-0.5b".'],
    ["phi4-mini", 'Did you mean "phi-4"?'],
  ])("fails for %s with models that can be used", (typed, words) => {
    expect(() => resolveModel(typed, catalog)).toThrowError(
      expect.objectContaining({
        action: `${words} \`listModels\` lists all models.`,
      }),
    );
  });

  it.each([
    ["are not known to be downloaded", null, 'Available: "phi-4", "qwen2.5-0.5b".'],
    ["are not downloaded", false, "No model is downloaded."],
  ])("fails for a name unlike any of models that %s", (_, downloaded, words) => {
    const models = catalog.map((model) => ({ ...model, downloaded }));
    expect(() => resolveModel("nope", models.slice(0, 2))).toThrowError(
      expect.objectContaining({
        action: `${words} \`listModels\` lists all models.`,
      }),
    );
  });

  it.each([
    ["qwen2.5-7b", "Qwen/Qwen2.5-7B-Instruct", 'Did you mean "Qwen/Qwen2.5-7B-Instruct"?'],
    ["mistral7b", "Mistral-7B-Instruct", 'Did you mean "Mistral-7B-Instruct"?'],
    ["lama3.1:8b", "llama3.1:8B", 'Did you mean "llama3.1:8B"?'],
    ["gpt4o", "openai/GPT-4o", 'Did you mean "openai/GPT-4o"?'],
    ["unlike", "Meta-Llama-3-8B.gguf", 'Available: "Meta-Llama-3-8B.gguf".'],
    ["phi-4-min", "Phi-4-mini-instruct-generic-cpu:5", 'Did you mean "phi-4-mini"?'],
  ])("suggests for %s the name %s as the service spells it", (typed, id, words) => {
    const models = [knownModel(id)];
    expect(() => resolveModel(typed, models)).toThrowError(
      expect.objectContaining({ action: `${words} \`listModels\` lists all models.` }),
    );
    expect(resolveModel(/"(.*)"/.exec(words)?.[1] ?? "", models).id).toBe(id);
  });

  it("says what to do where there is no model at all", () => {
    expect(() => resolveModel("phi-4", [])).toThrowError(
      expect.objectContaining({
        code: "MODEL_NOT_FOUND",
        action: expect.stringContaining("foundry model download"),
      }),
    );
  });

  it("shortens the given name, and never shows half a character", () => {
    const typed = `${"x".repeat(79)}😀${"y".repeat(5000)}`;
    expect(() => resolveModel(typed, variants)).toThrowError(
      expect.objectContaining({
        message: expect.toSatisfy(
          (message: string) => message.length < 120 && message.isWellFormed(),
        ),
      }),
    );
  });
});

describe("findModel", () => {
  it("returns undefined for an absent name", () => {
    expect(findModel("phi-5", variants)).toBeUndefined();
  });
});

describe("unlistedModel", () => {
  it("refuses a text that is too long to be a name", () => {
    expect(unlistedModel("x".repeat(300)).id).toHaveLength(300);
    expect(() => unlistedModel("x".repeat(301))).toThrow(
      expect.objectContaining({ code: "MODEL_NOT_FOUND" }),
    );
  });
});

describe("nearestNames", () => {
  it("names each alias once, however many variants it has", () => {
    expect(nearestNames("phi", variants)).toEqual(["phi-4-mini"]);
  });

  it("puts names that contain the word before names that are merely similar", () => {
    const models = [knownModel("coda:1"), knownModel("qwen2.5-coder-7b-instruct-generic-cpu:4")];
    expect(nearestNames("coder", models)).toEqual(["qwen2.5-coder-7b", "coda"]);
  });

  it("copes with a word as long as a book", () => {
    expect(nearestNames("phi ".repeat(1_000_000), variants)).toEqual(["phi-4-mini"]);
  });
});
