import { describe, expect, it } from "vitest";
import { MINUTE_MS, queueOf, settled } from "./rate-limited.js";

describe("the rate limit of the queue", () => {
  it("starts the first call at once and each further one an interval later, whatever their durations", async () => {
    const { clock, starts, enter } = queueOf({ rateLimit: 10 });
    for (const name of ["a", "b", "c"]) enter({ name });
    await clock.pass(MINUTE_MS);
    expect(starts).toEqual([
      { name: "a", at: 0 },
      { name: "b", at: 6000 },
      { name: "c", at: 12_000 },
    ]);
  });

  it("accumulates no starts while it is idle", async () => {
    const { clock, starts, enter } = queueOf({ rateLimit: 10 });
    await clock.pass(10 * MINUTE_MS);
    for (const name of ["a", "b"]) enter({ name });
    await clock.pass(MINUTE_MS);
    expect(starts.map(({ at }) => at)).toEqual([600_000, 606_000]);
  });

  it("reports place and estimate without a measurement, while places are free", async () => {
    const { clock, enter, placesOf } = queueOf({ rateLimit: 10 });
    for (const name of ["a", "b", "c"]) enter({ name });
    await clock.pass(6000);
    expect(placesOf("b")).toEqual([[1, 6000]]);
    expect(placesOf("c")).toEqual([
      [2, 12_000],
      [1, 6000],
    ]);
  });

  it("counts the turns of other models in an estimate, and the models take turns", async () => {
    const { clock, starts, enter, placesOf } = queueOf({ rateLimit: 10 });
    enter({ name: "first", model: "one" });
    for (const name of ["one-1", "one-2"]) enter({ name, model: "one" });
    for (const name of ["two-1", "two-2"]) enter({ name, model: "two" });
    expect(placesOf("two-2")).toEqual([[2, 18_000]]);
    await clock.pass(MINUTE_MS);
    expect(starts.map(({ name }) => name)).toEqual(["first", "one-1", "two-1", "one-2", "two-2"]);
  });

  it("waits for a place where that takes longer than the interval", async () => {
    const { clock, starts, enter } = queueOf({ rateLimit: 60, slots: 1 });
    const first = enter({ name: "a" });
    enter({ name: "b" });
    const leave = await first.entered;
    await clock.pass(5000);
    expect(starts).toHaveLength(1);
    expect(clock.timers).toBe(0);
    leave();
    await settled();
    expect(starts[1]).toEqual({ name: "b", at: 5000 });
  });

  it("starts no batch while a single completion waits", async () => {
    const { clock, starts, enter } = queueOf({ rateLimit: 10 });
    enter({ name: "first" });
    for (const name of ["item-1", "item-2"]) enter({ name, caller: "batch", isBatch: true });
    for (const name of ["single-1", "single-2"]) enter({ name });
    await clock.pass(MINUTE_MS);
    expect(starts.map(({ name }) => name)).toEqual([
      "first",
      "single-1",
      "single-2",
      "item-1",
      "item-2",
    ]);
  });

  it("starts no batch of another model while a single completion waits", async () => {
    const { clock, starts, enter, placesOf } = queueOf({ rateLimit: 10 });
    enter({ name: "first", model: "one" });
    for (const name of ["item-1", "item-2", "item-3"])
      enter({ name, model: "one", caller: "batch", isBatch: true });
    for (const name of ["single-1", "single-2"]) enter({ name, model: "two" });
    expect(placesOf("single-2")).toEqual([[2, 12_000]]);
    await clock.pass(MINUTE_MS);
    const names = starts.map(({ name }) => name);
    expect(names).toEqual(["first", "single-1", "single-2", "item-1", "item-2", "item-3"]);
  });

  it("starts a batch while a single completion of another model waits for a place", async () => {
    const { clock, starts, enter } = queueOf({ rateLimit: 10, slots: 1 });
    enter({ name: "running", model: "two" });
    enter({ name: "waiting", model: "two" });
    enter({ name: "item", model: "one", caller: "batch", isBatch: true });
    await clock.pass(MINUTE_MS);
    expect(starts.map(({ name }) => name)).toEqual(["running", "item"]);
  });

  it("refuses beyond the queue's limit, with the time of the next start", async () => {
    const { clock, enter } = queueOf({ rateLimit: 2, limit: 1 });
    for (const name of ["a", "b"]) enter({ name });
    await clock.pass(10_000);
    await expect(enter({ name: "c" }).entered).rejects.toMatchObject({
      code: "QUEUE_FULL",
      retryAfterMs: 20_000,
    });
  });

  it("uses no start for an aborted wait, and leaves no timer", async () => {
    const { clock, queue, starts, enter, placesOf } = queueOf({ rateLimit: 2 });
    const [, , third] = ["a", "b", "c", "d", "e", "f"].map((name) => enter({ name }));
    await clock.pass(10_000);
    third?.cancel();
    await expect(third?.entered).rejects.toMatchObject({ code: "CANCELLED" });
    expect(placesOf("d")?.at(-1)).toEqual([2, 50_000]);
    await clock.pass(3 * MINUTE_MS);
    expect(starts).toEqual([
      { name: "a", at: 0 },
      { name: "b", at: 30_000 },
      { name: "d", at: 60_000 },
      { name: "e", at: 90_000 },
      { name: "f", at: 120_000 },
    ]);
    const last = enter({ name: "g" });
    enter({ name: "h" }).cancel();
    await last.entered;
    expect({ timers: clock.timers, waiting: queue.waiting }).toEqual({ timers: 0, waiting: 0 });
  });

  it("has one timer, however many calls wait", async () => {
    const { clock, enter } = queueOf({ rateLimit: 10 });
    for (let count = 0; count < 20; count += 1) enter({ model: `model-${count % 3}` });
    await clock.pass(3 * MINUTE_MS);
    expect(clock.mostTimers).toBe(1);
  });

  it("reports the limit and the next start", async () => {
    const { clock, queue, enter } = queueOf({ rateLimit: 10 });
    expect(queue.rateLimit).toEqual({ perMinute: 10, nextStartInMs: 0 });
    await enter().entered;
    await clock.pass(1000);
    expect(queue.rateLimit).toEqual({ perMinute: 10, nextStartInMs: 5000 });
  });

  it("does not exist by default", async () => {
    const { queue, enter, starts } = queueOf({ rateLimit: 0 });
    for (const name of ["a", "b", "c", "d"]) enter({ name });
    await settled();
    expect(starts).toHaveLength(4);
    expect(queue.rateLimit).toBeNull();
  });
});
