import type { BenchReport, CaseReport, ModelReport } from "../../../src/commands/bench/report.js";

const spread = (median: number) => ({ median, min: median * 0.8, max: median * 1.3 });

const caseOf = (prompt: CaseReport["prompt"], atOnce: number): CaseReport => ({
  prompt,
  at_once: atOnce,
  rounds: 3,
  answers: 3 * atOnce,
  failed: 0,
  input_tokens: prompt === "short" ? 21 : 1043,
  output_tokens: 64,
  estimated: false,
  first_token_ms: spread(prompt === "short" ? 180 : 12_345),
  tokens_per_second: spread(38.2 / atOnce),
  total_tokens_per_second: spread(31.5 + atOnce),
});

export const modelReport = (facts: Partial<ModelReport> = {}): ModelReport => ({
  model: "Phi-4-mini-instruct-generic-cpu:5",
  alias: "phi-4-mini",
  device: "cpu",
  simulated: false,
  load: { ms: 3210, status: "measured", unloaded: true },
  memory_mb: { before_load: 120, loaded: 4210, highest: 4405 },
  cases: [1, 2, 4].flatMap((atOnce) => [caseOf("short", atOnce), caseOf("long", atOnce)]),
  not_measured: [],
  concurrency: { value: 1, reason: "More at once would only wait for each other." },
  error: null,
  ...facts,
});

export const benchReport = (facts: Partial<BenchReport> = {}): BenchReport => ({
  format: 1,
  version: "1.2.3",
  at: "2026-01-02T03:04:05.678Z",
  machine: {
    node: "v22.0.0",
    platform: "linux",
    arch: "x64",
    cpu: "A processor with a long name @ 2.40GHz",
    cores: 8,
    memory_mb: 32_768,
  },
  service: {
    endpoint: "http://127.0.0.1:5273",
    name: "Foundry Local core 2.2.1",
    version: "2.2.1",
  },
  simulated: false,
  settings: { rounds: 3, answer_tokens: 64, minutes: 10 },
  models: [modelReport()],
  concurrency: { value: 1, reason: "More at once would only wait for each other." },
  ...facts,
});
