import { describe, expect, it } from "vitest";
import { z } from "zod";
import { SAMPLE_CATALOG } from "../../src/index.js";
import { chat, get, jsonOf, MODEL } from "../ask.js";
import { reasonToLeaveOut } from "../left-out.js";
import { SERVICE_0_8 } from "../recorded-service-0.8.js";
import { readRecording } from "../recording.js";
import { startService } from "./start.js";

const names = z.array(z.looseObject({ name: z.string(), version: z.string() }));

describe("the lists of S", () => {
  it("contain the whole catalog with every member that Microsoft's own SDK requires", async () => {
    await using simulator = await startService({ models: SAMPLE_CATALOG });
    const list = names.parse(jsonOf(await get(simulator.url, "/foundry/list")));
    expect(list.map(({ name }) => name)).toEqual(SAMPLE_CATALOG.map(({ id }) => id));
    const required =
      "name displayName modelType providerType uri version promptTemplate publisher task runtime fileSizeMb modelSettings alias supportsToolCalling license licenseDescription parentModelUri maxOutputTokens";
    for (const element of list) {
      expect(Object.keys(element)).toEqual(expect.arrayContaining(required.split(" ")));
    }
  });

  it("name a user's own models as downloaded, but not in the catalog", async () => {
    await using simulator = await startService({ models: [{ id: "own:0", family: "local" }] });
    expect(jsonOf(await get(simulator.url, "/foundry/list"))).toEqual([]);
    expect(jsonOf(await get(simulator.url, "/openai/models"))).toEqual(["own:0"]);
  });

  it("have ids without versions on the older revisions", async () => {
    await using simulator = await startService({ switches: { ids: "unversioned" } });
    const name = MODEL.split(":")[0];
    await get(simulator.url, `/openai/load/${name}`);
    expect(simulator.loaded).toEqual([MODEL]);
    for (const path of ["/openai/models", "/openai/loadedmodels"]) {
      expect(jsonOf(await get(simulator.url, path))).toEqual([name]);
    }
    expect(jsonOf(await get(simulator.url, "/foundry/list"))).toMatchObject([{ name }]);
  });

  it("have a model's modalities only in the OpenAI list", async () => {
    const models = [{ id: "m-generic-cpu:1", contextLength: 131_072, toolCalling: true }];
    await using simulator = await startService({ models });
    expect(jsonOf(await get(simulator.url, "/v1/models"))).toMatchObject({
      data: [{ maxInputTokens: 114_688, maxOutputTokens: 16_384, toolCalling: true }],
    });
  });

  it("may lack the OpenAI list", async () => {
    await using simulator = await startService({ switches: { openaiModels: "absent" } });
    expect(await get(simulator.url, "/v1/models")).toMatchObject({ status: 404, chunks: [] });
    expect((await chat(simulator.url)).status).toBe(200);
  });

  it("lose the catalog without a network where the switch is set, but still name downloaded models", async () => {
    await using simulator = await startService({ switches: { catalog: "fails" } });
    expect(await get(simulator.url, "/foundry/list")).toMatchObject({ status: 500, chunks: [] });
    expect(jsonOf(await get(simulator.url, "/openai/models"))).toEqual([MODEL]);
  });

  it("any other route is a 404 without a body", async () => {
    await using simulator = await startService();
    for (const path of [
      "/status",
      "/models/loaded",
      "/openai/load/",
      "/v1/embeddings",
      "/health",
    ]) {
      const answer = await get(simulator.url, path);
      expect([path, answer.status, answer.chunks]).toEqual([path, 404, []]);
    }
    expect((await get(simulator.url, "/OpenAI/Status/")).status).toBe(200);
  });

  it("are subject to faults like those of other services", async () => {
    await using simulator = await startService();
    simulator.addFault({ kind: "status", status: 503, on: { path: "/foundry/*" }, times: 1 });
    expect((await get(simulator.url, "/foundry/list")).status).toBe(503);
    expect((await get(simulator.url, "/foundry/list")).status).toBe(200);
  });
});

describe("the recording of S", () => {
  it("is replayed in full", () => {
    const seen = readRecording("service-0.8.json")
      .filter((exchange) => reasonToLeaveOut(exchange) === null)
      .map(({ name }) => name);
    expect(SERVICE_0_8.flatMap(({ only = [] }) => only).sort()).toEqual(seen.sort());
  });
});
