import { describe, expect, it } from "vitest";
import {
  endpointAdvice,
  listingProblems,
  movedProblem,
  narrowedAdvice,
  oldAgentProblem,
  problemOf,
} from "../../../src/foundry/health/problems.js";
import type { KnownModel } from "../../../src/foundry/models/index.js";
import { FoundryError } from "../../../src/lib/errors.js";

/** A model as far as the problems look at one. */
function model(device: KnownModel["device"], downloaded: boolean | null = true): KnownModel {
  return {
    id: `m-generic-${device}:1`,
    name: `m-generic-${device}`,
    alias: "m",
    version: 1,
    family: "public",
    device,
    executionProvider: null,
    task: "chat-completion",
    sizeMb: null,
    contextLength: null,
    maxOutputTokens: null,
    toolCalling: null,
    vision: null,
    license: null,
    downloaded,
    loaded: false,
  };
}

const listing = (models: readonly KnownModel[], warning: string | null = null, leftOut = 0) => ({
  models,
  warning,
  leftOut,
});

const DOWN = new FoundryError("SERVICE_UNREACHABLE", "Nothing listens at http://127.0.0.1:9.", {
  action: "Start the service.",
  retryable: true,
});

const FOUNDRY_LOCAL = { isFoundryLocal: true };
const ADVICE = "Download it that way.";
const loader = { adviceForAny: async () => ADVICE };

describe("the problems in a list of models", async () => {
  it("an empty list of Foundry Local: download a model, or the catalog is unreachable (#78, #405, #752)", async () => {
    const [problem, ...others] = await listingProblems(FOUNDRY_LOCAL, listing([]), loader);

    expect(others).toEqual([]);
    expect(problem?.what).toBe("The service lists no models.");
    expect(problem?.fix).toMatch(/^Download it that way\..*check the network/);
  });

  it("an empty list of another engine: no advice that is only for Foundry Local", async () => {
    const [problem] = await listingProblems({ isFoundryLocal: false }, listing([]), loader);

    expect(problem?.fix).toBe(
      `${ADVICE} Or name a model in each call: the engine may have it although it is not listed.`,
    );
  });

  it("no downloaded model: how to download one for this service", async () => {
    expect(
      await listingProblems(
        FOUNDRY_LOCAL,
        listing([model("cpu", false), model("gpu", false)]),
        loader,
      ),
    ).toEqual([{ what: "No model is downloaded.", fix: ADVICE }]);
  });

  it.each([true, null])("none where a model is downloaded, or may be (%s)", async (downloaded) => {
    const models = [model("cpu", false), model("gpu", downloaded)];

    expect(await listingProblems(FOUNDRY_LOCAL, listing(models), loader)).toEqual([]);
  });

  it("an incomplete list: the rest can be used (#1024)", async () => {
    const [problem] = await listingProblems(
      FOUNDRY_LOCAL,
      listing([model("cpu")], "The catalog is away."),
      loader,
    );

    expect(problem?.what).toBe("The catalog is away.");
    expect(problem?.fix).toMatch(/network.*can still be used/);
  });

  it("entries that are no models: no advice about the network", async () => {
    const [problem, ...others] = await listingProblems(
      FOUNDRY_LOCAL,
      listing([model("cpu")], null, 2),
      loader,
    );

    expect(others).toEqual([]);
    expect(problem?.what).toMatch(/^2 entries were left out/);
    expect(problem?.fix).toMatch(/can be used/);
    expect(problem?.fix).not.toMatch(/network/);
  });

  it("a missing list: the service's message", async () => {
    expect(await listingProblems(FOUNDRY_LOCAL, DOWN, loader)).toEqual([problemOf(DOWN)]);
  });
});

describe("an endpoint", () => {
  it.each(["http://192.168.1.7:5273", "http://gpu-box:8000"])(
    "on another machine without TLS, %s, leads to the advice to encrypt",
    (endpoint) => {
      const [advice] = endpointAdvice(endpoint, false);

      expect(advice?.what).toContain(endpoint);
      expect(advice?.what).toContain("unencrypted");
      expect(advice?.fix).toMatch(/TLS proxy or an SSH tunnel/);
    },
  );

  it("on this machine, or with TLS, is no problem", () => {
    expect(endpointAdvice("http://127.0.0.1:5273", true)).toEqual([]);
    expect(endpointAdvice("https://gpu-box:8000", false)).toEqual([]);
  });

  it("that is set where nothing listens is reported with the service's address (#884, #933)", () => {
    const { what, fix } = movedProblem(DOWN, "http://127.0.0.1:52364");

    expect(what.startsWith(DOWN.message)).toBe(true);
    expect(what).toContain("http://127.0.0.1:52364");
    expect(fix).toContain("the option `endpoint`");
  });
});

it("an old agent beside a new command line is reported with the process to end (#146)", () => {
  const { what, fix } = oldAgentProblem("http://127.0.0.1:5272");

  expect(what).toContain("http://127.0.0.1:5272");
  expect(fix).toContain("Inference.Service.Agent");
});

describe("a list narrowed by --port (#1065)", () => {
  const cpuOnly = listing([model("cpu")]);
  const C1 = { fixedPortNarrowsList: true };

  it("is assumed where a pinned port lists only CPU models", () => {
    const [advice] = narrowedAdvice(C1, "http://127.0.0.1:39839", cpuOnly);

    expect(advice?.what).toContain("may be the reason");
    expect(advice?.fix).toContain("`foundry server restart`");
  });

  it.each([
    ["on a port that is not usually pinned", C1, "http://127.0.0.1:52364", cpuOnly],
    ["of another server", { fixedPortNarrowsList: false }, "http://127.0.0.1:39839", cpuOnly],
    ["with a GPU", C1, "http://127.0.0.1:39839", listing([model("cpu"), model("gpu")])],
    ["with an NPU", C1, "http://127.0.0.1:39839", listing([model("npu")])],
    ["that is empty", C1, "http://127.0.0.1:39839", listing([])],
    ["that did not come", C1, "http://127.0.0.1:39839", DOWN],
  ])("is not assumed of one %s", (_what, dialect, endpoint, list) => {
    expect(narrowedAdvice(dialect, endpoint, list)).toEqual([]);
  });
});
