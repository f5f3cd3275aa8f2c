import { describe, expect, it } from "vitest";
import { C2_VERSIONS, startSimulator } from "../src/index.js";
import { chat, get, jsonOf, MODEL } from "./ask.js";

const TALKER = { id: MODEL, loaded: true };
const BIG = { id: "big-generic-cpu:1", loadMs: 1500 };
const MODELS = [TALKER, BIG];

describe.concurrent.each(C2_VERSIONS)("while a model loads, C2 %s", (version) => {
  it("answers requests at once that need no model in memory, and chats only afterwards", async () => {
    await using simulator = await startSimulator({ version, models: MODELS });
    const done: string[] = [];
    const noted = (name: string, answer: Promise<unknown>) => answer.then(() => done.push(name));
    const load = noted("load", get(simulator.url, "/models/load/big"));
    await simulator.waitFor((s) => s.requests.length === 1);
    const waiting = [
      noted("chat", chat(simulator.url, { max_tokens: 1 })),
      noted("unload", get(simulator.url, "/models/unload/talker")),
    ];
    await noted("status", get(simulator.url, "/status"));
    await noted("models", get(simulator.url, "/v1/models"));
    await noted("unknown", get(simulator.url, "/models/load/nope"));
    expect(done).toEqual(["status", "models", "unknown"]);
    expect(simulator.loaded).toEqual([MODEL]);
    await Promise.all([load, ...waiting]);
    expect(done.slice(3).sort()).toEqual(["chat", "load", "unload"]);
  });

  it("also delays the catalog once a request for the loaded models waits", async () => {
    await using simulator = await startSimulator({ version, models: MODELS });
    const load = get(simulator.url, "/models/load/big");
    await simulator.waitFor((s) => s.requests.length === 1);
    const loaded = get(simulator.url, "/models/loaded");
    await simulator.waitFor((s) => s.requests.length === 2);
    expect((await get(simulator.url, "/models/load/nope")).status).toBe(404);
    expect(simulator.loaded).toContain(BIG.id);
    expect((await get(simulator.url, "/status")).status).toBe(200);
    expect(jsonOf(await loaded)).toEqual([BIG.id, MODEL]);
    await load;
  });

  it("continues the load when the client disconnects", async () => {
    await using simulator = await startSimulator({ version, models: MODELS });
    await get(simulator.url, "/models/load/big", { leaveAfterMilliseconds: 50 });
    const request = await simulator.waitFor((s) => s.requests.find((r) => r.endedBy !== null));
    expect(request.endedBy).toBe("client-gone");
    expect(simulator.loaded).not.toContain(BIG.id);
    await simulator.waitFor((s) => s.loaded.includes(BIG.id));
  });
});

describe("the name in a load", () => {
  it("is an alias, for which the best downloaded variant is loaded", async () => {
    const variants = [
      { id: "m-cuda-gpu:3", downloaded: false },
      { id: "m-generic-cpu:1" },
      { id: "m-generic-cpu:2" },
    ];
    await using simulator = await startSimulator({ models: variants });
    expect((await get(simulator.url, "/models/load/m-generic-cpu:2")).status).toBe(404);
    await get(simulator.url, "/models/load/m");
    expect(simulator.loaded).toEqual(["m-generic-cpu:2"]);
    expect(jsonOf(await get(simulator.url, "/models/loaded"))).toEqual(["m-generic-cpu:2"]);
  });
});

describe("a model in use", () => {
  it("is unloaded only after its last answer has ended", async () => {
    await using simulator = await startSimulator({ models: [TALKER], tokensPerSecond: 20 });
    const answer = chat(simulator.url, { max_tokens: 30, stream: true });
    await simulator.waitFor((s) => s.generating === 1);
    const refused = await get(simulator.url, "/models/unload/talker");
    expect(refused.status).toBe(500);
    expect(refused.chunks.join("")).toContain(`'${MODEL}': 1 session(s) still using it`);
    await answer;
    expect(jsonOf(await get(simulator.url, "/models/unload/talker"))).toEqual({
      status: "unloaded",
    });
  });
});
