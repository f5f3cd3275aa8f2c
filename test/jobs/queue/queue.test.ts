import { describe, expect, it } from "vitest";
import { Queue } from "../../../src/jobs/queue.js";

const MODEL = "talker-generic-cpu:1";

/** A queue on a clock that the test moves, and the order of the granted places. */
function queueOf({ limit = 64, slots = 1 } = {}) {
  let time = 0;
  const queue = new Queue({ limit, now: () => time });
  const order: string[] = [];
  const places = new Map<string, [number, number | null][]>();
  const enter = (
    name: string,
    { caller = "", isBatch = false, model = MODEL, goesOn = false } = {},
  ) => {
    const leaving = new AbortController();
    const told: [number, number | null][] = [];
    places.set(name, told);
    const entered = queue
      .enter(model, slots, {
        caller,
        isBatch,
        goesOn,
        signal: leaving.signal,
        onPlace: (place, etaMs) => void told.push([place, etaMs]),
      })
      .then((leave) => {
        order.push(name);
        return leave;
      });
    // A test that expects a rejection handles it itself.
    entered.catch(() => {});
    return { entered, cancel: () => leaving.abort(), leave: async () => (await entered)() };
  };
  return {
    queue,
    order,
    enter,
    toldTo: (name: string) => places.get(name),
    pass: (ms: number) => {
      time += ms;
    },
  };
}

/** Lets all pending microtasks run. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("the queue in front of a model", () => {
  it("grants a free place at once", async () => {
    const { queue, enter } = queueOf();
    await enter("one").entered;
    expect({ running: queue.running, waiting: queue.waiting }).toEqual({ running: 1, waiting: 0 });
  });

  it("lets work that has started wait for another place, however full the queue is", async () => {
    const { enter, order } = queueOf({ limit: 0 });
    const first = enter("first");
    const part = enter("part", { goesOn: true });
    await expect(enter("another").entered).rejects.toMatchObject({ code: "QUEUE_FULL" });
    await first.leave();
    await part.leave();
    expect(order).toEqual(["first", "part"]);
  });

  it("serves the calls of one caller in order", async () => {
    const { enter, order } = queueOf();
    const all = ["a", "b", "c", "d"].map((name) => enter(name));
    for (const one of all) await one.leave();
    expect(order).toEqual(["a", "b", "c", "d"]);
  });

  it("takes turns among callers, so that one with many calls does not block the others", async () => {
    const { enter, order } = queueOf();
    const first = enter("running");
    const many = [1, 2, 3, 4].map((number) => enter(`many-${number}`, { caller: "many" }));
    const few = [1, 2].map((number) => enter(`few-${number}`, { caller: "few" }));
    const late = enter("late", { caller: "late" });
    await first.leave();
    const [m1, m2, m3, m4] = many;
    const [f1, f2] = few;
    for (const one of [m1, f1, late, m2, f2, m3, m4]) await one?.leave();
    expect(order.slice(1)).toEqual([
      "many-1",
      "few-1",
      "late",
      "many-2",
      "few-2",
      "many-3",
      "many-4",
    ]);
  });

  it("serves 200 completions of 20 callers through one place: none lost, none repeated, each caller once a round", async () => {
    const { enter, order, queue } = queueOf({ limit: 200 });
    const gate = enter("gate");
    const entries = new Map<string, ReturnType<typeof enter>>();
    for (let number = 0; number < 200; number += 1) {
      // One caller after the other enters all of its calls.
      const caller = `caller-${Math.floor(number / 10)}`;
      entries.set(`${caller}/${number % 10}`, enter(`${caller}/${number % 10}`, { caller }));
    }
    await gate.leave();
    for (let served = 1; served <= 200; served += 1) {
      await settled();
      expect(queue.running).toBe(1);
      await entries.get(order[served] ?? "")?.leave();
    }
    const served = order.slice(1);
    expect(new Set(served).size).toBe(200);
    for (let round = 0; round < 10; round += 1) {
      const turn = served.slice(round * 20, round * 20 + 20);
      expect(turn).toEqual(Array.from({ length: 20 }, (_, caller) => `caller-${caller}/${round}`));
    }
  });

  it("admits as many calls as the model has places, and counts models separately", async () => {
    const { queue, enter } = queueOf({ slots: 4 });
    for (let number = 0; number < 6; number += 1) enter(`a-${number}`);
    enter("b", { model: "another-generic-cpu:1" });
    await settled();
    expect({ running: queue.running, waiting: queue.waiting }).toEqual({ running: 5, waiting: 2 });
  });

  it("reports its place to each call, and again whenever it changes", async () => {
    const { enter, toldTo } = queueOf();
    const first = enter("first");
    const second = enter("second");
    enter("third");
    expect(toldTo("second")).toEqual([[1, null]]);
    expect(toldTo("third")).toEqual([[2, null]]);
    await first.leave();
    await second.entered;
    expect(toldTo("third")?.map(([place]) => place)).toEqual([2, 1]);
  });

  it("estimates the wait from measured durations, less the elapsed time of running calls", async () => {
    const { enter, toldTo, pass } = queueOf();
    const measured = enter("measured");
    await measured.entered;
    pass(10_000);
    await measured.leave();
    await enter("running").entered;
    pass(4000);
    enter("next");
    enter("after");
    expect(toldTo("next")).toEqual([[1, 6000]]);
    expect(toldTo("after")).toEqual([[2, 16_000]]);
  });

  it("refuses a call beyond its limit at once, with the time to retry", async () => {
    const { enter, pass } = queueOf({ limit: 2 });
    const measured = enter("measured");
    await measured.entered;
    pass(40_000);
    await measured.leave();
    for (const name of ["running", "one", "two"]) enter(name);
    await expect(enter("three").entered).rejects.toMatchObject({
      code: "QUEUE_FULL",
      retryable: true,
      retryAfterMs: 40_000,
      action: expect.stringContaining("in 40 s"),
    });
  });

  it("reports no time to retry where nothing was measured", async () => {
    const { enter } = queueOf({ limit: 0 });
    enter("running");
    await expect(enter("one").entered).rejects.toMatchObject({
      code: "QUEUE_FULL",
      retryAfterMs: null,
    });
  });

  it("never grants a place to a cancelled call, and moves the others up", async () => {
    const { enter, order, toldTo } = queueOf();
    const first = enter("first");
    const cancelled = enter("cancelled");
    const last = enter("last");
    cancelled.cancel();
    await expect(cancelled.entered).rejects.toMatchObject({ code: "CANCELLED" });
    expect(toldTo("last")?.at(-1)).toEqual([1, null]);
    await first.leave();
    await last.entered;
    expect(order).toEqual(["first", "last"]);
  });

  it("releases a place once, however often it is returned", async () => {
    const { enter, queue } = queueOf();
    const first = enter("first");
    enter("second");
    enter("third");
    const leave = await first.entered;
    leave();
    leave();
    await settled();
    expect({ running: queue.running, waiting: queue.waiting }).toEqual({ running: 1, waiting: 1 });
  });
});

describe("a batch in the queue", () => {
  it("has all places as long as no other caller waits, then half of them", async () => {
    const { enter, order } = queueOf({ slots: 4 });
    const batch = Array.from({ length: 8 }, (_, number) =>
      enter(`batch-${number}`, { isBatch: true }),
    );
    await settled();
    expect(order).toHaveLength(4);
    for (const name of ["x", "y", "z"]) enter(name);
    for (const one of batch.slice(0, 3)) await one.leave();
    await settled();
    // Of the three places that came free, one went to the batch, which then had its half.
    expect(order.slice(4).sort()).toEqual(["batch-4", "x", "y"]);
  });

  it("lets single completions pass, even later ones of the same caller", async () => {
    const { enter, order } = queueOf();
    const first = enter("batch-0", { isBatch: true });
    for (let number = 1; number < 5; number += 1) enter(`batch-${number}`, { isBatch: true });
    const single = enter("single");
    await first.leave();
    await single.leave();
    await settled();
    expect(order).toEqual(["batch-0", "single", "batch-1"]);
  });

  it("does not count as waiting, and is never refused", async () => {
    const { enter, queue } = queueOf({ limit: 0 });
    enter("running");
    const part = enter("part", { isBatch: true });
    expect(queue.waiting).toBe(0);
    part.cancel();
    await expect(part.entered).rejects.toMatchObject({ code: "CANCELLED" });
  });
});
