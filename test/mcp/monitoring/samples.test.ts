import { expect, it } from "vitest";
import { MetricsRecorder } from "../../../src/lib/metrics.js";
import { SAMPLE_MS, Samples } from "../../../src/mcp/monitoring/monitoring.js";

const IDLE = { running: 0, waiting: 0 };

it("a sample contains the changes since the previous one, and the current queue", () => {
  const clock = { now: 0 };
  const recorder = new MetricsRecorder(() => clock.now);
  const samples = new Samples();
  const take = (queue = IDLE): void => samples.take({ ...recorder.snapshot(), queue }, clock.now);
  const complete = (ms: number, outcome: "completed" | "failed" | "interrupted"): void => {
    const call = recorder.begin("complete");
    clock.now += ms;
    const figures = { inputTokens: 1, outputTokens: 7, queueMs: 0, tokensPerSecond: null };
    call.end(outcome, outcome === "completed" ? null : "INFERENCE_FAILED", {
      ...figures,
      cached: false,
      firstTokenMs: ms / 2,
    });
  };
  complete(100, "completed");
  take();
  complete(200, "completed");
  complete(400, "completed");
  complete(50, "failed");
  complete(50, "interrupted");
  recorder.begin("list").end("failed", "TIMEOUT");
  take({ running: 2, waiting: 5 });
  take();
  expect(samples.all).toEqual([
    {
      at: 800,
      completed: 2,
      failed: 2,
      outputTokens: 28,
      latencyMs: 300,
      firstTokenMs: 88,
      running: 2,
      waiting: 5,
    },
    {
      at: 800,
      completed: 0,
      failed: 0,
      outputTokens: 0,
      latencyMs: null,
      firstTokenMs: null,
      ...IDLE,
    },
  ]);
});

it("only samples of the last hour are kept", () => {
  const recorder = new MetricsRecorder();
  const samples = new Samples();
  for (let index = 0; index <= 1000; index += 1) {
    samples.take({ ...recorder.snapshot(), queue: IDLE }, index * SAMPLE_MS);
  }
  expect(samples.all).toHaveLength(360);
  expect(samples.all[0]?.at).toBe(641 * SAMPLE_MS);
  expect(samples.all.at(-1)?.at).toBe(1000 * SAMPLE_MS);
});
