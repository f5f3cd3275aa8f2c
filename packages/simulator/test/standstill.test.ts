import { describe, expect, it } from "vitest";
import { standStill } from "../../../test/stand-still.js";
import { startSimulator } from "../src/index.js";
import { chat, get, MODEL } from "./ask.js";

const models = [
  { id: MODEL, loaded: true },
  { id: "big-generic-cpu:1", loadMs: 1000 },
];

describe("a simulated service whose process stood still", () => {
  it("has not loaded on meanwhile", async () => {
    await using simulator = await startSimulator({ models });
    const load = get(simulator.url, "/models/load/big");
    await simulator.waitFor((s) => s.requests.length === 1);
    await get(simulator.url, "/status");
    standStill(1500);
    expect((await get(simulator.url, "/status")).status).toBe(200);
    expect(simulator.loaded).toEqual([MODEL]);
    await load;
    expect(simulator.loaded).toContain("big-generic-cpu:1");
  });

  it("has not generated on meanwhile", async () => {
    await using simulator = await startSimulator({ models, tokensPerSecond: 20 });
    const answer = chat(simulator.url, { stream: true, max_tokens: 40 });
    await simulator.waitFor((s) => s.requests.some(({ tokensSent }) => tokensSent > 0));
    standStill(3000);
    expect((await get(simulator.url, "/status")).status).toBe(200);
    expect(simulator.generating).toBe(1);
    await answer;
  });
});
