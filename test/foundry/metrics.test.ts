import { expect, it } from "vitest";
import { Metrics } from "../../src/foundry/completion/progress.js";

it.each([1.5, -1, 1e300, Number.NaN, Number.POSITIVE_INFINITY])(
  "totals stay whole numbers after a count of %s",
  (odd) => {
    const metrics = new Metrics();
    metrics.ended("completed", odd);
    metrics.ended("completed", 2);
    expect(metrics.totals).toMatchObject({ completed: 2, outputTokens: 2 });
  },
);

it("totals end at the largest number that is exact", () => {
  const metrics = new Metrics();
  metrics.ended("completed", Number.MAX_SAFE_INTEGER);
  metrics.ended("completed", 2);
  expect(metrics.totals.outputTokens).toBe(Number.MAX_SAFE_INTEGER);
});
