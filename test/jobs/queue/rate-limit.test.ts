import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Queue } from "../../../src/jobs/queue.js";

const MODEL = "talker-generic-cpu:1";
const MINUTE_MS = 60_000;

interface Timer {
  readonly at: number;
  readonly fire: () => void;
}

/** A clock that the test moves, with its timers. */
class FakeClock {
  #time = 0;
  readonly #timers = new Set<Timer>();
  /** The most timers that were set at once. */
  mostTimers = 0;

  readonly now = (): number => this.#time;

  readonly setTimer = (ms: number, fire: () => void): (() => void) => {
    const timer = { at: this.#time + ms, fire };
    this.#timers.add(timer);
    this.mostTimers = Math.max(this.mostTimers, this.#timers.size);
    return () => void this.#timers.delete(timer);
  };

  get timers(): number {
    return this.#timers.size;
  }

  /** Lets the time pass, with all timers on the way. */
  async pass(ms: number): Promise<void> {
    const end = this.#time + ms;
    await settled();
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > end) break;
      this.#timers.delete(next);
      this.#time = Math.max(this.#time, next.at);
      next.fire();
      await settled();
    }
    this.#time = end;
  }
}

/** Lets what was admitted go on; it takes only promises. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
}

interface Enter {
  readonly name?: string;
  readonly caller?: string;
  readonly isBatch?: boolean;
  readonly model?: string;
}

function queueOf({ rateLimit = 10, slots = 64, limit = 64 } = {}) {
  const clock = new FakeClock();
  const queue = new Queue({ limit, now: clock.now, rateLimit, setTimer: clock.setTimer });
  const starts: { readonly name: string; readonly at: number }[] = [];
  const places = new Map<string, [number, number | null][]>();
  const enter = ({ name = "", caller = "", isBatch = false, model = MODEL }: Enter = {}) => {
    const leaving = new AbortController();
    const reported: [number, number | null][] = [];
    places.set(name, reported);
    const entered = queue
      .enter(model, slots, {
        caller,
        isBatch,
        signal: leaving.signal,
        onPlace: (place, etaMs) => void reported.push([place, etaMs]),
      })
      .then((leave) => {
        starts.push({ name, at: clock.now() });
        return leave;
      });
    // A test that expects its failure looks at it.
    entered.catch(() => {});
    return { entered, cancel: () => leaving.abort() };
  };
  return { clock, queue, starts, enter, placesOf: (name: string) => places.get(name) };
}

/** The most starts in a window of a minute, its end not included. */
function mostInWindow(times: readonly number[]): number {
  const counts = times.map(
    (from) => times.filter((at) => at >= from && at < from + MINUTE_MS).length,
  );
  return Math.max(0, ...counts);
}

const arrival = fc.record({
  afterMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 20_000 })),
  /** How long it holds its place; a wait that exceeds `patienceMs` is aborted. */
  lastsMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 200_000 })),
  patienceMs: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: 0, max: 30_000 })),
  caller: fc.constantFrom("a", "b", "c"),
  isBatch: fc.boolean(),
  model: fc.constantFrom("one", "two", "three"),
});

const schedule = fc.record({
  rateLimit: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 31, max: 60_000 })),
  slots: fc.integer({ min: 1, max: 4 }),
  arrivals: fc.array(arrival, { minLength: 1, maxLength: 20 }),
});

describe("the rate limit of the queue", () => {
  it("holds in every window of a minute, starts all that wait and leaves no timer, in 10,000 random schedules", async () => {
    const property = fc.asyncProperty(schedule, async ({ rateLimit, slots, arrivals }) => {
      const { clock, queue, starts, enter } = queueOf({ rateLimit, slots, limit: 1000 });
      let aborted = 0;
      for (const { afterMs, lastsMs, patienceMs, ...waiter } of arrivals) {
        await clock.pass(afterMs);
        const { entered, cancel } = enter(waiter);
        const stopPatience =
          patienceMs === Number.POSITIVE_INFINITY ? () => {} : clock.setTimer(patienceMs, cancel);
        entered.then(
          (leave) => {
            stopPatience();
            clock.setTimer(lastsMs, leave);
          },
          () => {
            aborted += 1;
          },
        );
        await settled();
      }
      // Enough for all of them, one after the other.
      await clock.pass(arrivals.length * 300_000);

      const times = starts.map(({ at }) => at);
      expect(mostInWindow(times)).toBeLessThanOrEqual(rateLimit);
      for (const [index, at] of times.entries()) {
        const before = times[index - 1];
        if (before !== undefined)
          expect(at - before).toBeGreaterThanOrEqual(MINUTE_MS / rateLimit - 1e-6);
      }
      expect(starts.length + aborted).toBe(arrivals.length);
      expect({ running: queue.running, waiting: queue.waiting }).toEqual({
        running: 0,
        waiting: 0,
      });
      expect(clock.timers).toBe(0);
    });
    await fc.assert(property, { numRuns: 10_000, seed: 14 });
  }, 240_000);

  it("starts the first at once and each further one an interval later, however long it lasts", async () => {
    const { clock, starts, enter } = queueOf({ rateLimit: 10 });
    for (const name of ["a", "b", "c"]) enter({ name });
    await clock.pass(MINUTE_MS);
    expect(starts).toEqual([
      { name: "a", at: 0 },
      { name: "b", at: 6000 },
      { name: "c", at: 12_000 },
    ]);
  });

  it("saves up no starts while nothing happens", async () => {
    const { clock, starts, enter } = queueOf({ rateLimit: 10 });
    await clock.pass(10 * MINUTE_MS);
    for (const name of ["a", "b"]) enter({ name });
    await clock.pass(MINUTE_MS);
    expect(starts.map(({ at }) => at)).toEqual([600_000, 606_000]);
  });

  it("reports place and estimate before anything was measured, since places are free", async () => {
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

  it("waits for a place where that takes longer", async () => {
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

  it("refuses beyond the queue's limit, with the time of the next start", async () => {
    const { clock, enter } = queueOf({ rateLimit: 2, limit: 1 });
    for (const name of ["a", "b"]) enter({ name });
    await clock.pass(10_000);
    await expect(enter({ name: "c" }).entered).rejects.toMatchObject({
      code: "QUEUE_FULL",
      retryAfterMs: 20_000,
    });
  });

  it("costs an aborted wait no start, and no timer is left", async () => {
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

  it("has one timer, however many wait", async () => {
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
