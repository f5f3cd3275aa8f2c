import { describe, expect, it } from "vitest";
import { cancellationOf } from "../../src/mcp/call-policy.js";

const cancelledFor = (reason?: unknown): AbortSignal => AbortSignal.abort(reason);

describe("a cancelled call", () => {
  it.each([
    "McpError: MCP error -32001: Request timed out",
    "TimeoutError: The operation was aborted due to timeout",
    "Request timed out after 60s",
    "tool call time-out",
    "timeout",
    "context deadline exceeded",
  ])("lets the work go on when the host says %j", (reason) => {
    expect(cancellationOf(cancelledFor(reason), "auto")).toBe("detach");
  });

  it.each([
    "AbortError: This operation was aborted",
    "User pressed stop",
    "",
    undefined,
    { any: "thing" },
  ])("ends the work when the host says %j", (reason) => {
    expect(cancellationOf(cancelledFor(reason), "auto")).toBe("stop");
  });

  it("does what the setting says where it says it for all", () => {
    const [timeout, stop] = [cancelledFor("Request timed out"), cancelledFor("User pressed stop")];
    expect(cancellationOf(timeout, "stop")).toBe("stop");
    expect(cancellationOf(stop, "detach")).toBe("detach");
  });
});
