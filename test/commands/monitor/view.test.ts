import { afterEach, describe, expect, it, vi } from "vitest";
import { frameOf, type View, viewOf } from "../../../src/commands/monitor.js";
import type { RunningServer } from "../../../src/commands/running-servers.js";

const LONG = "deepseek-r1-distill-qwen-14b-instruct-quantized-generic-cpu:12";

const operation = (given: Partial<RunningServer["metrics"]["operations"][number]> = {}) => ({
  operation: "complete",
  model: "phi-4-mini-instruct-generic-cpu:5",
  completed: 1234,
  interrupted: 1,
  failed: 2,
  retries: 17,
  latency_ms: { p50: 1500, p95: 45_300 },
  first_token_ms: { p50: 380, p95: 900 },
  tokens_per_second: { p50: 41.7, p95: 60 },
  ...given,
});

const server = (given: Partial<RunningServer> = {}): RunningServer => ({
  pid: 4_194_304,
  version: "0.1.0",
  host: "claude-code",
  url: null,
  written_at: new Date(2026, 0, 2, 20, 51, 3).getTime(),
  metrics: {
    uptime_ms: 7_300_000,
    endpoint: "http://127.0.0.1:5273",
    queue: { running: 4, waiting: 64 },
    circuit: { state: "half-open" },
    last_error: { code: "CONTEXT_LENGTH_EXCEEDED", ago_ms: 5 },
    operations: [operation(), operation({ operation: "download", model: LONG, latency_ms: null })],
  },
  ...given,
});

const VIEW: View = {
  at: new Date(2026, 0, 2, 20, 51, 3),
  health: {
    status: "degraded",
    endpoint: "http://127.0.0.1:5273",
    dialect: "C2",
    service: "Foundry Local core 2.1 or later",
    foundBy: "set",
    loadedModels: [LONG],
    busy: false,
    memory: { totalMb: 16_000, freeMb: 5000, processMb: null },
    uptimeSeconds: null,
    pid: null,
    version: null,
    latencyMs: 3.1,
    circuit: { state: "closed", nextProbeInMs: null },
    totals: { completed: 0, interrupted: 0, cancelled: 0, failed: 0, outputTokens: 0 },
    tokensPerSecond: null,
    lastError: null,
    problems: [{ what: "No model is downloaded.", fix: "Call `loadModel`." }],
    queue: { running: 0, waiting: 0 },
    rateLimit: null,
    cache: null,
  },
  servers: [server(), server({ pid: 7, url: "http://127.0.0.1:8765/mcp" })],
};

function written(view: View, terminal: { isTTY?: boolean; columns?: number } = {}): string {
  let text = "";
  const write = (piece: string): void => {
    text += piece;
  };
  viewOf(view, { ...terminal, write });
  return text;
}

describe("the view of monitor", () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it("fits into 80 columns, without shortening the counts of a server", () => {
    vi.stubEnv("NO_COLOR", "1");
    const text = written(VIEW, { isTTY: true, columns: 80 });
    const lines = text.split("\n");
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    const row = (start: RegExp): string | undefined => lines.find((line) => start.test(line));
    expect(row(/^ {2}1 {2}4194304 {2}claude/)).toMatch(/2h +2468 +6 +4 +64 {2}half-open {2}CON/);
    expect(row(/^ {2}1 {2}complete/)).toMatch(/1234 +3 +1\.5s {2}45\.3s {2}380ms +42$/);
    expect(row(/^ {2}2 {2}download/)).toContain("..");
  });

  it("has no colours with NO_COLOR, and none where the output is no terminal", () => {
    expect(written(VIEW, { isTTY: true, columns: 80 })).toContain("\u001b[");
    expect(written(VIEW)).not.toContain("\u001b");
    vi.stubEnv("NO_COLOR", "1");
    expect(written(VIEW, { isTTY: true, columns: 80 })).not.toContain("\u001b");
  });

  it("words problems for a terminal, and reports that there is no server", () => {
    const text = written({ ...VIEW, servers: [] });
    expect(text).toContain("The service is degraded.");
    expect(text).toContain("No model is downloaded. Call ");
    expect(text).not.toContain("`loadModel`");
    expect(text).toContain("none that this user can see");
    expect(text).not.toContain("Calls");
  });

  it("sanitizes the names of hosts and services", () => {
    const host = "x\u001b]0;title\u0007\nred\u202e";
    const model = "m\u001b[31m";
    const circuit = { state: "open\u001b[2J" };
    const metrics = { ...server().metrics, circuit, operations: [operation({ model })] };
    const text = written({ ...VIEW, servers: [server({ host, metrics })] });
    for (const control of ["\u001b", "\u0007", "\u202e"]) expect(text).not.toContain(control);
    expect(text.split("\n").filter((line) => /^ {2}1 {2}/.test(line))).toHaveLength(2);
  });
});

describe("a frame of the screen", () => {
  it("clears the rest of each line and all below", () => {
    expect(frameOf("a\nb\n", 24, 80)).toBe("\u001b[Ha\u001b[K\r\nb\u001b[K\u001b[J");
  });

  it("has at most as many lines as the screen, and counts the omitted ones", () => {
    const frame = frameOf("1\n2\n3\n4\n5", 3, 80);
    expect(frame.split("\r\n")).toEqual([
      "\u001b[H1\u001b[K",
      "2\u001b[K",
      "  3 more lines\u001b[K\u001b[J",
    ]);
  });

  it("counts the rows that long lines take, so that its beginning stays on the screen", () => {
    const long = "\u001b[32mabcdefghijk\u001b[0m";
    expect(frameOf(`1\n${long}\n3`, 4, 10).split("\r\n")).toHaveLength(3);
    expect(frameOf(`1\n${long}\n3\n4`, 4, 10).split("\r\n")).toEqual([
      "\u001b[H1\u001b[K",
      `${long}\u001b[K`,
      "  2 more lines\u001b[K\u001b[J",
    ]);
  });
});
