import { beforeEach, describe, expect, it } from "vitest";
import { ModelUses } from "../../../src/foundry/service/model-uses.js";
import { deferred } from "../../../src/lib/index.js";
import { knownModel } from "../models/known-model.js";

let now: number;
let uses: ModelUses;
beforeEach(() => {
  now = 50_000;
  uses = new ModelUses(() => now);
});
const model = knownModel("a-generic-cpu:1");

describe("ModelUses", () => {
  it("counts the generations that run on a model", async () => {
    const first = await uses.begin(model);
    const second = await uses.begin(model);
    expect(uses.running(model)).toBe(2);
    first.end("finished");
    expect(uses.running(model)).toBe(1);
    second.end("abandoned");
    expect(uses.running(model)).toBe(0);
  });

  it("counts only the first end of a generation", async () => {
    await uses.begin(model);
    const use = await uses.begin(model);
    use.end("finished");
    use.end("abandoned");
    expect([uses.running(model), uses.restMs(model)]).toEqual([1, 0]);
  });

  it("counts models separately, also the two families of one id", async () => {
    (await uses.begin(model)).end("abandoned");
    const running = await uses.begin({ ...model, family: "local" });
    expect(uses.running(model)).toBe(0);
    expect(uses.restMs({ ...model, family: "local" })).toBe(0);
    expect(uses.restMs(knownModel("b-generic-cpu:1"))).toBe(0);
    running.end("finished");
  });

  it("delays a generation on a model until its unload has ended", async () => {
    const order: string[] = [];
    let finish = (): void => {};
    const unloading = uses.reserve(model, async () => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      order.push("unloaded");
    });
    const beginning = uses.begin(model).then(() => order.push("began"));
    const elsewhere = await uses.begin({ ...model, family: "local" });
    elsewhere.end("finished");
    expect(uses.running(model)).toBe(0);
    finish();
    await Promise.all([unloading, beginning]);
    expect(order).toEqual(["unloaded", "began"]);
  });

  it("allows generations again after a failed unload", async () => {
    const unloading = uses.reserve(model, () => Promise.reject(new Error("no")));
    await expect(unloading).rejects.toThrow("no");
    await uses.begin(model);
    expect(uses.running(model)).toBe(1);
  });

  it("waits for the slower of two unloads of a model", async () => {
    const slow = deferred();
    const order: string[] = [];
    void uses.reserve(model, () => slow.promise);
    await uses.reserve(model, async () => {});
    const begun = uses.begin(model).then(() => order.push("begun"));
    await new Promise(setImmediate);
    order.push("unloaded");
    slow.resolve();
    await begun;
    expect(order).toEqual(["unloaded", "begun"]);
  });

  it("needs no rest after a generation that finished", async () => {
    const use = await uses.begin(model);
    use.token();
    use.end("finished");
    expect(uses.restMs(model)).toBe(0);
  });

  it("rests ten seconds after a generation that was abandoned before its first token", async () => {
    (await uses.begin(model)).end("abandoned");
    expect(uses.restMs(model)).toBe(10_000);
    now += 4_000;
    expect(uses.restMs(model)).toBe(6_000);
    now += 6_001;
    expect(uses.restMs(model)).toBe(0);
  });

  it("rests three times the longest gap between tokens, at least 1.5 seconds", async () => {
    const slow = await uses.begin(model);
    for (const gap of [100, 2_000, 300]) {
      slow.token();
      now += gap;
    }
    slow.token();
    slow.end("abandoned");
    expect(uses.restMs(model)).toBe(6_000);

    const fast = knownModel("fast-generic-cpu:1");
    const use = await uses.begin(fast);
    use.token();
    use.end("abandoned");
    expect(uses.restMs(fast)).toBe(1_500);
  });

  it("keeps the longer of two rests", async () => {
    const quick = await uses.begin(model);
    quick.token();
    (await uses.begin(model)).end("abandoned");
    quick.end("abandoned");
    expect(uses.restMs(model)).toBe(10_000);
  });
});
