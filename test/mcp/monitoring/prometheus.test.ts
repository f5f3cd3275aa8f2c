import { expect, it } from "vitest";
import { SecretMask } from "../../../src/lib/index.js";
import { MetricsRecorder } from "../../../src/lib/metrics.js";
import { prometheusText } from "../../../src/mcp/monitoring/prometheus.js";

/** The metrics text of a client whose recorder was filled by this function. */
function textOf(
  fill: (recorder: MetricsRecorder, clock: { now: number }) => void,
  secrets = new SecretMask([]),
): string[] {
  const clock = { now: 0 };
  const recorder = new MetricsRecorder(() => clock.now);
  fill(recorder, clock);
  const snapshot = recorder.snapshot();
  const metrics = () => ({
    ...snapshot,
    endpoint: null,
    queue: { running: 1, waiting: 2 },
    circuit: { ...snapshot.circuit, state: "open" as const },
  });
  return prometheusText({ service: { metrics: recorder }, metrics }, 3, secrets).split("\n");
}

it("begins each metric family with its help and type, once", () => {
  const lines = textOf((recorder) => recorder.begin("load").end("failed", "LOAD_FAILED"));
  const named = lines
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.replace(/(_bucket|_sum|_count)?[{ ].*/, ""));
  for (const name of new Set(named)) {
    expect(lines.filter((line) => line.startsWith(`# HELP ${name} `))).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith(`# TYPE ${name} `))).toHaveLength(1);
  }
  expect(lines).toContain(
    'foundry_local_mcp_errors_total{operation="load",model="",code="LOAD_FAILED"} 1',
  );
  expect(lines).toContain("foundry_local_mcp_completions_waiting 2");
  expect(lines).toContain('foundry_local_mcp_circuit_state{state="open"} 1');
  expect(lines.at(-1)).toBe("");
});

it.each([
  ['say "hi"', '"say \\"hi\\""'],
  ["C:\\models", '"C:\\\\models"'],
  ["two\nlines", '"two\\nlines"'],
  ["half \ud83d", '"half \ufffd"'],
  ["größe 漢字", '"größe 漢字"'],
])("escapes the name of a model: %j", (model, escaped) => {
  const lines = textOf((recorder) => {
    const call = recorder.begin("unload");
    call.model = model;
    call.end("completed", null);
  });
  const line = lines.find((each) => each.includes("calls_total{") && each.endsWith(" 1"));
  expect(line).toBe(
    `foundry_local_mcp_calls_total{operation="unload",model=${escaped},outcome="completed"} 1`,
  );
});

it("hides a key in the names of models alone", () => {
  const keys = ["foundry", "123456"];
  const lines = textOf((recorder, clock) => {
    const call = recorder.begin("complete");
    call.model = "m-FOUNDRY-123456:1";
    clock.now += 1_234_567;
    call.end("completed", null);
  }, new SecretMask(keys));
  const labels = '{operation="complete",model="m-(secret)-(secret):1"}';
  expect(lines).toContain(`foundry_local_mcp_call_duration_seconds_sum${labels} 1234.567`);
  expect(lines.filter((line) => line.includes("FOUNDRY"))).toEqual([]);
  for (const line of lines.slice(0, -1)) expect(line).toMatch(/^(# \w+ )?foundry_local_mcp_/);
});

it("has histograms in seconds with cumulative buckets up to +Inf", () => {
  const lines = textOf((recorder, clock) => {
    for (const ms of [5, 100, 2000, 5_000_000]) {
      const call = recorder.begin("complete");
      clock.now += ms;
      call.end("completed", null);
    }
  });
  const buckets = lines
    .filter((line) => line.includes("call_duration_seconds_bucket"))
    .map((line) => /le="([^"]+)"} (\d+)$/.exec(line)?.slice(1).map(Number) ?? []);
  const counts = buckets.map(([, count]) => count ?? 0);
  expect(buckets[0]).toEqual([0.008, 1]);
  expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  expect(counts.slice(-2)).toEqual([3, 4]);
  const labels = '{operation="complete",model=""}';
  expect(lines).toContain(`foundry_local_mcp_call_duration_seconds_count${labels} 4`);
  expect(lines).toContain(`foundry_local_mcp_call_duration_seconds_sum${labels} 5002.105`);
});
