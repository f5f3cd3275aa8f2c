import { describe, expect, it } from "vitest";
import { chooseDefaultModel } from "../../../src/foundry/models/resolve.js";
import { knownModel } from "./known-model.js";

const phi = (facts: { downloaded: boolean | null; loaded?: boolean }) =>
  knownModel("Phi-4-mini-instruct-generic-cpu:5", { alias: "phi-4-mini", ...facts });
const qwen = (facts: { downloaded: boolean | null; loaded?: boolean }) =>
  knownModel("qwen3-0.6b-generic-cpu:4", { alias: "qwen3-0.6b", ...facts });
const embedder = knownModel("qwen3-embedding-0.6b-generic-cpu:1", {
  task: "embeddings",
  downloaded: true,
  loaded: true,
});

describe("chooseDefaultModel", () => {
  it("chooses phi-4-mini without a note when it is downloaded, whatever is loaded", () => {
    const chosen = chooseDefaultModel([
      qwen({ downloaded: true, loaded: true }),
      phi({ downloaded: true }),
    ]);
    expect(chosen).toMatchObject({ model: { alias: "phi-4-mini" }, reason: null });
  });

  it("chooses the loaded model when phi-4-mini is not downloaded, with a note", () => {
    const chosen = chooseDefaultModel([
      phi({ downloaded: false }),
      knownModel("first-generic-cpu:1", { downloaded: true, loaded: false }),
      qwen({ downloaded: true, loaded: true }),
    ]);
    expect(chosen.model.id).toBe("qwen3-0.6b-generic-cpu:4");
    expect(chosen.reason).toBe(
      "Used qwen3-0.6b-generic-cpu:4: no model was asked for, the default phi-4-mini is not downloaded, and it is the model that is loaded. Name a model, or set the option `model`, to choose.",
    );
  });

  it("chooses the first downloaded model that can chat when none is loaded, with a note", () => {
    const chosen = chooseDefaultModel([
      knownModel("cloud-only-generic-cpu:1", { downloaded: false }),
      { ...embedder, loaded: false },
      qwen({ downloaded: true, loaded: false }),
      knownModel("later-generic-cpu:1", { downloaded: true }),
    ]);
    expect(chosen.model.id).toBe("qwen3-0.6b-generic-cpu:4");
    expect(chosen.reason).toContain("phi-4-mini is not among this service's models");
    expect(chosen.reason).toContain("it is the first downloaded model that can chat");
  });

  it("skips a loaded model that cannot chat", () => {
    const chosen = chooseDefaultModel([embedder, qwen({ downloaded: true, loaded: false })]);
    expect(chosen.model.id).toBe("qwen3-0.6b-generic-cpu:4");
  });

  it("chooses phi-4-mini where the downloaded models are unknown", () => {
    const chosen = chooseDefaultModel([qwen({ downloaded: null }), phi({ downloaded: null })]);
    expect(chosen).toMatchObject({ model: { alias: "phi-4-mini" }, reason: null });
  });

  it("chooses the first listed model of an engine without phi-4-mini, with a note", () => {
    const chosen = chooseDefaultModel([
      knownModel("text-embedding-3"),
      knownModel("llama3.1:latest"),
      knownModel("mistral"),
    ]);
    expect(chosen.model.id).toBe("llama3.1:latest");
    expect(chosen.reason).toContain("it is the first model that the service lists");
  });

  it.each([
    ["nothing is downloaded", [phi({ downloaded: false }), qwen({ downloaded: false })]],
    ["only models for other tasks are downloaded", [embedder]],
    ["there is no model at all", []],
  ])("fails with what to download when %s", (_when, models) => {
    expect(() => chooseDefaultModel(models)).toThrowError(
      expect.objectContaining({
        code: "MODEL_NOT_CACHED",
        action: expect.stringContaining("Download one"),
      }),
    );
  });
});
