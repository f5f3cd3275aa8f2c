import { SdkError, SdkErrorCode } from "@modelcontextprotocol/server";
import { describe, expect, it } from "vitest";
import { allowedMs, cancellationOf } from "../../../src/mcp/hosts.js";

describe("the work of a cancelled call", () => {
  it.each([
    "McpError: MCP error -32001: Request timed out",
    "SdkError: Request timed out",
    "TimeoutError: The operation was aborted due to timeout",
    "timed out after 5s",
    "Request timed out after 60s",
    "request timeout",
    "tool call time-out",
    "timeout",
    "context deadline exceeded",
  ])("continues when the host's reason is %j", (reason) => {
    expect(cancellationOf(reason, "auto")).toBe("detach");
  });

  it.each([
    "User pressed stop",
    "User requested cancellation",
    "AbortError: user-cancel",
    "the user stopped the agent",
    "interrupt",
    "Interrupted",
    "no longer needed",
    "cancelled with Ctrl+C",
  ])("ends when the host's reason is %j", (reason) => {
    expect(cancellationOf(reason, "auto")).toBe("stop");
  });

  it.each([
    "MCP request cancelled by caller",
    "AbortError: The operation was aborted.",
    "AbortError: This operation was aborted",
    "AbortError: The user aborted a request.",
    "caller cancelled",
    "operation cancelled",
    "context canceled",
    "",
    undefined,
    { any: "thing" },
    new DOMException("This operation was aborted", "AbortError"),
  ])("is undecided when the host's reason is %j", (reason) => {
    expect(cancellationOf(reason, "auto")).toBe("unclear");
  });

  it("ends with the session, and is undecided where only its own connection has ended", () => {
    const closed = new SdkError(SdkErrorCode.ConnectionClosed, "Connection closed");
    expect(cancellationOf(closed, "auto", "session")).toBe("stop");
    expect(cancellationOf(closed, "auto", "call")).toBe("unclear");
  });

  it("leaves to the keeper what was promised, where the process ends with its connection", () => {
    const closed = new SdkError(SdkErrorCode.ConnectionClosed, "Connection closed");
    expect(cancellationOf(closed, "auto", "process")).toBe("detach");
    expect(cancellationOf(closed, "stop", "process")).toBe("detach");
  });

  it("follows the setting where it decides for all reasons", () => {
    expect(cancellationOf("Request timed out", "stop")).toBe("stop");
    expect(cancellationOf("User pressed stop", "stop")).toBe("stop");
    expect(cancellationOf("Request timed out", "detach")).toBe("detach");
    expect(cancellationOf("User pressed stop", "detach")).toBe("detach");
    expect(cancellationOf(undefined, "stop")).toBe("stop");
    expect(cancellationOf(undefined, "detach")).toBe("detach");
  });
});

describe("the time limit of a host", () => {
  const timeout = "Request timed out";

  it.each([
    [timeout, { elapsedMs: 5000, silentMs: null }, 5000],
    ["timed out after 5s", { elapsedMs: 5040, silentMs: null }, 5000],
    ["timed out after 5.5 seconds", { elapsedMs: 5600, silentMs: 600 }, 5500],
    ["timeout of 30000 ms exceeded", { elapsedMs: 30_010, silentMs: 400 }, 30_000],
    ["timed out after 2 minutes", { elapsedMs: 120_500, silentMs: null }, 120_000],
    // Progress is sent every second.
    [timeout, { elapsedMs: 60_000, silentMs: 900 }, 60_000],
  ])("is derived from %j at %j", (reason, at, allowed) => {
    expect(allowedMs(reason, at)).toBe(allowed);
  });

  it.each([
    ["timed out after 10s", { elapsedMs: 45_000, silentMs: 10_020 }],
    [timeout, { elapsedMs: 45_000, silentMs: 10_000 }],
  ])("is not the time since the last progress: %j at %j", (reason, at) => {
    expect(allowedMs(reason, at)).toBeNull();
  });

  it.each(["User pressed stop", "AbortError: The operation was aborted.", undefined])(
    "is not derived from %j",
    (reason) => {
      expect(allowedMs(reason, { elapsedMs: 5000, silentMs: null })).toBeNull();
    },
  );
});
