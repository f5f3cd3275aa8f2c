import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HostCalls, type HostLimit, HostLimits } from "../../../src/mcp/hosts.js";
import { ProgressReporter, systemClock } from "../../../src/mcp/progress-reporter.js";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const calls = (): HostCalls => new HostCalls(systemClock, "auto", "process");
const limitOf = (name?: string): HostLimit => new HostLimits().of(name);
const seconds = async (count: number): Promise<void> =>
  void (await vi.advanceTimersByTimeAsync(count * 1000));

function begun(host: HostCalls, limit: HostLimit, given: object = { prompt: "Hello" }) {
  const cancel = new AbortController();
  const progress = new ProgressReporter(async () => {});
  const { signal } = cancel;
  const end = host.begin({ tool: "complete", given, signal, progress, limit });
  return {
    progress,
    end,
    cancel: (reason?: string): void => {
      cancel.abort(reason);
      end();
    },
  };
}

describe("the time limit of a call's reply", () => {
  it.each([
    ["google-adk", 4],
    ["claude-code", 96],
    ["gemini-cli-mcp-client", 480],
    ["qwen-cli-mcp-client-foundry-local", 480],
    ["mcp", 45],
    ["codex-mcp-client", 45],
    ["a-claude-code-like-host", 45],
    [undefined, 45],
  ])("is for the host %j %d s", (name, replyWithin) => {
    expect(limitOf(name).replyWithinMs).toBe(replyWithin * 1000);
  });

  it("is 0.8 of the host's time limit after its first timeout", async () => {
    const limit = limitOf();
    const call = begun(calls(), limit);
    await seconds(5);
    call.cancel("McpError: MCP error -32001: Request timed out");
    expect(limit.replyWithinMs).toBe(4000);
  });

  it("never increases, and is at least half a second", async () => {
    const limit = limitOf();
    const host = calls();
    for (const [after, expected] of [
      [10, 8000],
      [30, 8000],
      [0.3, 500],
    ] as const) {
      const call = begun(host, limit, { prompt: `After ${after}` });
      await seconds(after);
      call.cancel("Request timed out");
      expect(limit.replyWithinMs).toBe(expected);
    }
  });

  it("stays where progress restarts the host's time limit", async () => {
    const limit = limitOf();
    const call = begun(calls(), limit);
    await seconds(20);
    call.progress.news({ step: "loading", message: "Loading it", percent: null });
    call.progress.finish();
    await seconds(10);
    call.cancel("timed out after 10s");
    expect(limit.replyWithinMs).toBe(45_000);
  });

  it.each([
    [4, 45],
    [5, 4],
    [7, 4],
    [12, 8],
    [34, 24],
    [61, 45],
  ])("after a repeated call without an answer for %d s is %d s", async (after, replyWithin) => {
    const limit = limitOf("mcp");
    const host = calls();
    begun(host, limit);
    await seconds(after);
    begun(host, limit);
    expect(limit.replyWithinMs).toBe(replyWithin * 1000);
  });

  it.each(["answered", "of other arguments", "of a host that is known"])(
    "stays unchanged after a call that was %s",
    async (what) => {
      const limit = limitOf(what === "of a host that is known" ? "claude-code" : undefined);
      const before = limit.replyWithinMs;
      const host = calls();
      const first = begun(host, limit);
      await seconds(7);
      if (what === "answered") first.end();
      begun(host, limit, { prompt: what === "of other arguments" ? "Bye" : "Hello" });
      expect(limit.replyWithinMs).toBe(before);
    },
  );

  it("is reduced after an unclear cancellation when the same call is repeated", async () => {
    const limit = limitOf("codex-mcp-client");
    const host = calls();
    const call = begun(host, limit);
    await seconds(10);
    call.cancel("MCP request cancelled by caller");
    expect(limit.replyWithinMs).toBe(45_000);
    await seconds(20);
    begun(host, limit);
    expect(limit.replyWithinMs).toBe(8000);
  });

  it("is not reduced after one that is not repeated within the grace period", async () => {
    const limit = limitOf();
    const host = calls();
    const call = begun(host, limit);
    await seconds(10);
    call.cancel("AbortError: The operation was aborted.");
    await seconds(31);
    begun(host, limit);
    expect(limit.replyWithinMs).toBe(45_000);
  });

  it("is stored by the host's name, for the latest 500", () => {
    const limits = new HostLimits();
    limits.of("first").timedOut(5000);
    expect(limits.of("second").replyWithinMs).toBe(45_000);
    expect(limits.of("first").replyWithinMs).toBe(4000);
    for (let host = 0; host < 500; host += 1) limits.of(`host-${host}`);
    expect(limits.of("first").replyWithinMs).toBe(45_000);
  });
});
