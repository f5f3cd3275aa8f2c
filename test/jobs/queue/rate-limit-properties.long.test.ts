import * as fc from "fast-check";
import { expect, it } from "vitest";
import { MINUTE_MS, queueOf, settled } from "./rate-limited.js";

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

it("the rate limit holds in every minute, starts all waiting calls and leaves no timer, in 10,000 random schedules", async () => {
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
