import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Histogram } from "../../src/lib/histogram.js";
import { MOST_MODELS_MEASURED } from "../../src/lib/limits.js";
import { MetricsRecorder } from "../../src/lib/metrics.js";
import type { AnswerFigures, Outcome } from "../../src/lib/metrics-types.js";

const answer = (given: Partial<AnswerFigures> = {}): AnswerFigures => ({
  cached: false,
  inputTokens: 1,
  outputTokens: 2,
  queueMs: 0,
  firstTokenMs: 10,
  tokensPerSecond: 50,
  ...given,
});

/** A recorder with a clock that the test sets. */
function recorder() {
  const clock = { now: 0 };
  const metrics = new MetricsRecorder(() => clock.now);
  const complete = (
    outcome: Outcome,
    code: Parameters<ReturnType<MetricsRecorder["begin"]>["end"]>[1] = null,
    model: string | null = "a",
    figures = answer(),
  ): void => {
    const call = metrics.begin("complete");
    call.model = model;
    call.end(outcome, code, figures);
  };
  return { clock, metrics, complete };
}

describe("a histogram", () => {
  it("has percentiles with an error of at most 19 %, whatever the values are", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.1, max: 4_000_000, noNaN: true }), {
          minLength: 1,
          maxLength: 300,
        }),
        (values) => {
          const histogram = new Histogram();
          for (const value of values) histogram.add(value);
          const sorted = values.toSorted((a, b) => a - b);
          const { distribution } = histogram;
          expect(distribution?.count).toBe(values.length);
          for (const [name, part] of [
            ["p50", 0.5],
            ["p95", 0.95],
            ["p99", 0.99],
          ] as const) {
            const exact = sorted[Math.ceil(part * sorted.length) - 1] ?? 0;
            const estimate = distribution?.[name] ?? 0;
            // Values are shown in tenths.
            expect(estimate).toBeGreaterThanOrEqual(exact / 1.19 - 0.1);
            expect(estimate).toBeLessThanOrEqual(exact * 1.19 + 0.1);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("is exact where all values are the same, and counts each once in its cumulative buckets", () => {
    const histogram = new Histogram();
    for (let times = 0; times < 10; times += 1) histogram.add(250);
    expect(histogram.distribution).toEqual({
      count: 10,
      sum: 2500,
      max: 250,
      p50: 250,
      p95: 250,
      p99: 250,
    });
    const buckets = histogram.buckets(1, 1024);
    expect(buckets.map(({ upTo }) => upTo)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]);
    expect(buckets.map(({ count }) => count)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 10, 10, 10]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -1])("ignores %s", (odd) => {
    const histogram = new Histogram();
    histogram.add(odd);
    expect(histogram.distribution).toBeNull();
  });
});

describe("the metrics of a client", () => {
  it.each([1.5, -1, 1e300, Number.NaN, Number.POSITIVE_INFINITY])(
    "have totals that stay whole numbers after a count of %s",
    (odd) => {
      const { metrics, complete } = recorder();
      complete("completed", null, "a", answer({ outputTokens: odd }));
      complete("completed");
      expect(metrics.totals).toMatchObject({ completed: 2, outputTokens: 2 });
    },
  );

  it("have totals that end at the largest number that is exact", () => {
    const { metrics, complete } = recorder();
    complete("completed", null, "a", answer({ outputTokens: Number.MAX_SAFE_INTEGER }));
    complete("completed");
    expect(metrics.totals.outputTokens).toBe(Number.MAX_SAFE_INTEGER);
  });

  it("count a call once, however often its end is recorded", () => {
    const { metrics } = recorder();
    const call = metrics.begin("complete");
    call.end("completed", null);
    call.end("cancelled", "CANCELLED");
    expect(metrics.totals).toMatchObject({ completed: 1, cancelled: 0 });
  });

  it("have an entry for each operation and model, with its errors, times and traffic", () => {
    const { clock, metrics } = recorder();
    const load = metrics.begin("load");
    load.model = "a";
    load.traffic.requests += 3;
    load.traffic.retries += 1;
    load.traffic.receivedBytes += 500;
    clock.now = 2000;
    load.end("completed", null);
    metrics.begin("load").end("failed", "NO_ENDPOINT");
    expect(metrics.snapshot().operations).toMatchObject([
      {
        operation: "load",
        model: "a",
        completed: 1,
        failed: 0,
        errors: {},
        requests: 3,
        retries: 1,
        receivedBytes: 500,
        latencyMs: { count: 1, p50: 2000, max: 2000 },
        queueMs: null,
      },
      { operation: "load", model: null, failed: 1, errors: { NO_ENDPOINT: 1 }, latencyMs: null },
    ]);
    expect(metrics.totals).toMatchObject({ completed: 0, failed: 0 });
  });

  it("count a cached answer, without its tokens and times", () => {
    const { metrics, complete } = recorder();
    complete("completed", null, "a", answer({ cached: true }));
    expect(metrics.cacheHits).toBe(1);
    expect(metrics.snapshot().operations).toMatchObject([
      { completed: 1, cacheHits: 1, outputTokens: 0, latencyMs: null, firstTokenMs: null },
    ]);
  });

  it("count further models together, so that their number is bounded", () => {
    const { metrics, complete } = recorder();
    for (let index = 0; index < MOST_MODELS_MEASURED + 30; index += 1) {
      complete("completed", null, `model-${index}`);
    }
    complete("completed", null, "model-0");
    const { operations } = metrics.snapshot();
    expect(operations).toHaveLength(MOST_MODELS_MEASURED + 1);
    expect(operations.at(0)).toMatchObject({ model: "model-0", completed: 2 });
    expect(operations.at(-1)).toMatchObject({ model: "other models", completed: 30 });
    expect(metrics.totals.completed).toBe(MOST_MODELS_MEASURED + 31);
  });

  it("contain the latest error, with its age", () => {
    const { clock, metrics, complete } = recorder();
    complete("failed", "INFERENCE_FAILED");
    complete("cancelled", "CANCELLED");
    clock.now = 1500;
    expect(metrics.lastError).toEqual({
      operation: "complete",
      model: "a",
      code: "INFERENCE_FAILED",
      agoMs: 1500,
    });
  });

  it("report a model as failing until it succeeds, for a minute at most", () => {
    const { clock, metrics, complete } = recorder();
    complete("failed", "INFERENCE_FAILED");
    complete("interrupted", "STREAM_INTERRUPTED");
    complete("completed", null, "b");
    expect(metrics.failing).toEqual([
      { model: "a", count: 2, code: "STREAM_INTERRUPTED", agoMs: 0 },
    ]);
    clock.now = 60_001;
    expect(metrics.failing).toEqual([]);
    complete("failed", "INFERENCE_FAILED");
    complete("completed");
    expect(metrics.failing).toEqual([]);
  });

  it("report completions without a known model as failing until any succeeds", () => {
    const { metrics, complete } = recorder();
    complete("failed", "SERVICE_UNREACHABLE", null);
    expect(metrics.failing).toMatchObject([{ model: null, count: 1 }]);
    complete("completed", null, "b");
    expect(metrics.failing).toEqual([]);
  });

  it.each(["INVALID_REQUEST", "MODEL_NOT_FOUND", "CONTEXT_LENGTH_EXCEEDED", "QUEUE_FULL"] as const)(
    "do not report a model as failing after a caller's mistake: %s",
    (code) => {
      const { metrics, complete } = recorder();
      complete("failed", code);
      expect(metrics.failing).toEqual([]);
    },
  );
});
