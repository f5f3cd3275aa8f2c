import { describe, expect, it } from "vitest";
import { get, jsonOf } from "../ask.js";
import { chat, core1, TALKER } from "./ask.js";

const BIG = { id: "big-generic-cpu:1", loadMs: 3000 };
const SMALL = { id: "small-generic-cpu:1" };

describe("while a model loads, C1", () => {
  it("delays only the loads of the same model", async () => {
    await using simulator = await core1({ models: [TALKER, BIG, SMALL] });
    const done: string[] = [];
    const noted = (name: string, answer: Promise<unknown>) => answer.then(() => done.push(name));
    const load = noted("load", get(simulator.url, "/models/load/big"));
    await simulator.waitFor((s) => s.requests.length === 1);
    const same = noted("same", get(simulator.url, `/models/load/${BIG.id}`));

    await noted("lists", get(simulator.url, "/models/loaded"));
    await noted("chat", chat(simulator));
    await noted("another", get(simulator.url, "/models/load/small"));

    expect(done).toEqual(["lists", "chat", "another"]);
    expect(simulator.loaded).not.toContain(BIG.id);
    expect((await chat(simulator, { model: BIG.id })).status).toBe(400);
    await Promise.all([load, same]);
    expect(simulator.loaded).toContain(BIG.id);
  });

  it("continues the load when the client disconnects", async () => {
    await using simulator = await core1({ models: [BIG] });
    await get(simulator.url, "/models/load/big", { leaveAfterMilliseconds: 50 });
    expect(simulator.loaded).toEqual([]);
    await simulator.waitFor((s) => s.loaded.includes(BIG.id));
  });
});

describe("a load of C1", () => {
  it.each([
    ["does-not-exist", "unknown"],
    ["gone-generic-cpu:1", "not downloaded"],
    ["broken-generic-cpu:1", "broken"],
    ["SMALL-GENERIC-CPU:1", "in the wrong case"],
  ])("is an empty 500 for %s, which is %s", async (name) => {
    const models = [
      SMALL,
      { id: "gone-generic-cpu:1", downloaded: false },
      { id: "broken-generic-cpu:1", loadError: "Protobuf parsing failed." },
    ];
    await using simulator = await core1({ models });
    const answer = await get(simulator.url, `/models/load/${name}`);
    expect(answer).toMatchObject({ status: 500, chunks: [] });
  });

  it("accepts alias, name and id, encoded or not, and loads the newest downloaded version", async () => {
    const models = [
      { id: "m-generic-cpu:1" },
      { id: "m-generic-cpu:2" },
      { id: "m-generic-cpu:3", downloaded: false },
    ];
    for (const name of ["m", "m-generic-cpu", "m-generic-cpu%3A2", "%6D"]) {
      await using simulator = await core1({ models });
      expect((await get(simulator.url, `/models/load/${name}`)).status).toBe(200);
      expect(simulator.loaded).toEqual(["m-generic-cpu:2"]);
    }
  });

  it("succeeds once a model was downloaded", async () => {
    await using simulator = await core1({ models: [{ ...SMALL, downloaded: false }] });
    expect(jsonOf(await get(simulator.url, "/v1/models"))).toMatchObject({ data: [] });
    simulator.setDownloaded(SMALL.id, true);
    expect((await get(simulator.url, "/models/load/small")).status).toBe(200);
    expect(jsonOf(await get(simulator.url, "/v1/models"))).toMatchObject({
      data: [{ id: "small-generic-cpu", parent: "small" }],
    });
  });
});

describe("an unload of C1", () => {
  it("of a generating model is answered, then the process dies", async () => {
    await using simulator = await core1({ tokensPerSecond: 20 });
    const stream = chat(simulator, { stream: true, max_tokens: 100 });
    await simulator.waitFor((s) => s.requests.some(({ tokensSent }) => tokensSent > 1));

    const unload = await get(simulator.url, "/models/unload/talker");

    expect(unload).toMatchObject({ status: 200, chunks: [] });
    expect(await stream).toMatchObject({
      status: 200,
      connection: "closed by the service before the end of its answer",
    });
    expect(simulator.listening).toBe(false);
    expect(await get(simulator.url, "/status")).toMatchObject({ connection: "ECONNREFUSED" });
  });

  it("after a client disconnected kills the process until the current token is done, not later", async () => {
    await using simulator = await core1({ tokensPerSecond: 2 });
    const leaving = { leaveAfterChunks: 1 };
    await chat(simulator, { stream: true, max_tokens: 100 }, leaving);
    await simulator.waitFor((s) => s.generating === 0);
    await get(simulator.url, "/models/unload/talker");
    expect(simulator.loaded).toEqual([]);
    expect(simulator.listening).toBe(true);

    await get(simulator.url, "/models/load/talker");
    await chat(simulator, { stream: true, max_tokens: 100 }, leaving);
    await get(simulator.url, "/models/unload/talker");
    await simulator.waitFor((s) => !s.listening);
  });

  it("leaves other models and their streams alone", async () => {
    await using simulator = await core1({
      models: [TALKER, { ...SMALL, loaded: true }],
      tokensPerSecond: 50,
    });
    const stream = chat(simulator, { stream: true });
    await simulator.waitFor((s) => s.generating === 1);
    await get(simulator.url, "/models/unload/small");
    expect((await stream).chunks.at(-1)).toBe("data: [DONE]\n\n");
  });
});
