import { describe, expect, it } from "vitest";
import { chat, contentOf, get, jsonOf, MODEL } from "../ask.js";
import { startService, TALKER } from "./start.js";

const LOAD = `/openai/load/${MODEL}`;
const ENDLESS = { id: MODEL, script: { text: "word ", forever: true } };

describe("a load of S", () => {
  it("blocks until the model is in memory, and returns no body", async () => {
    await using simulator = await startService({ loadMs: 1500 });
    const load = get(simulator.url, LOAD);
    await simulator.waitFor((s) => s.requests.length === 1);
    expect((await get(simulator.url, "/openai/status")).status).toBe(200);
    expect(jsonOf(await get(simulator.url, "/openai/loadedmodels"))).toEqual([]);
    expect(await load).toMatchObject({ status: 200, chunks: [] });
    expect(jsonOf(await get(simulator.url, "/openai/loadedmodels"))).toEqual([MODEL]);
  });

  it("continues when the client disconnects", async () => {
    await using simulator = await startService({ loadMs: 1500 });
    await get(simulator.url, LOAD, { leaveAfterMilliseconds: 30 });
    expect(simulator.loaded).toEqual([]);
    await simulator.waitFor((s) => s.loaded.includes(MODEL));
  });

  it.each([400, 404, 500] as const)("answers %i for a missing model", async (status) => {
    const models = [{ ...TALKER, downloaded: false }];
    const switches = { missingModelStatus: status };
    await using simulator = await startService({ models, switches });
    for (const name of [MODEL, "never-heard-of:1"]) {
      const answer = await get(simulator.url, `/openai/load/${name}`);
      expect(answer).toMatchObject({
        status,
        chunks: [`No OpenAIService provider found for modelName:${name}`],
      });
    }
  });

  it("accepts only the exact id: no alias, no other case", async () => {
    await using simulator = await startService();
    expect((await get(simulator.url, "/openai/load/talker")).status).toBe(400);
    expect((await get(simulator.url, LOAD.toUpperCase())).status).toBe(400);
  });

  it("rejects a time that is not a number", async () => {
    await using simulator = await startService();
    expect((await get(simulator.url, `${LOAD}?ttl=soon`)).status).toBe(400);
    expect(simulator.loaded).toEqual([]);
  });
});

describe("an idle model of S", () => {
  it("is unloaded after the time that its load or its last chat set", async () => {
    await using simulator = await startService();
    await get(simulator.url, `${LOAD}?ttl=1`);
    expect(simulator.loaded).toEqual([MODEL]);
    await simulator.waitFor((s) => s.loaded.length === 0);
    await get(simulator.url, `${LOAD}?unload=false`);
    await chat(simulator.url, { ttl: 0.05 });
    await simulator.waitFor((s) => s.loaded.length === 0);
  });

  it("is not unloaded while it generates", async () => {
    await using simulator = await startService({ models: [ENDLESS], tokensPerSecond: 50 });
    const answer = await chat(simulator.url, { max_tokens: 75, ttl: 1 });
    expect(contentOf(answer)).toContain("word word");
    expect(simulator.loaded).toEqual([MODEL]);
    await simulator.waitFor((s) => s.loaded.length === 0);
  });
});

describe("an unload of S", () => {
  it("is refused while the model generates, unless it is forced, which cuts the answer", async () => {
    await using simulator = await startService({ models: [ENDLESS], tokensPerSecond: 50 });
    const answer = chat(simulator.url, { stream: true });
    await simulator.waitFor((s) => s.generating === 1);
    expect((await get(simulator.url, `/openai/unload/${MODEL}`)).status).toBe(500);
    await get(simulator.url, "/openai/unloadall");
    expect(simulator.loaded).toEqual([MODEL]);
    expect((await get(simulator.url, `/openai/unload/${MODEL}?force=true`)).status).toBe(200);
    expect(simulator.loaded).toEqual([]);
    expect((await answer).connection).toBe("closed by the service before the end of its answer");
  });

  it("succeeds for a model that is not loaded", async () => {
    await using simulator = await startService();
    const answer = await get(simulator.url, `/openai/unload/${MODEL}?force=false`);
    expect(answer).toMatchObject({ status: 200, chunks: [] });
  });
});
