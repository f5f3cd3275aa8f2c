import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/server";
import { describe, expect, it, onTestFinished } from "vitest";
import { FoundryClient } from "../../../src/jobs/index.js";
import { LONGEST_ERROR } from "../../../src/lib/limits.js";
import { createServer } from "../../../src/mcp/server.js";
import { GuardedTransport } from "../../../src/mcp/transport/guarded-transport.js";
import { backendOf } from "../backend.js";

/** Records sent messages, and delivers messages from the test. */
class Wire implements Transport {
  onmessage?: (message: JSONRPCMessage) => void;
  onclose?: () => void;
  onerror?: (error: Error) => void;
  readonly sent: JSONRPCMessage[] = [];
  async start(): Promise<void> {}
  async close(): Promise<void> {
    this.onclose?.();
  }
  async send(message: JSONRPCMessage): Promise<void> {
    this.sent.push(message);
  }
  comes(message: object): void {
    this.onmessage?.({ jsonrpc: "2.0", id: 1, method: "x", ...message });
  }
}

async function guarded(onmessage: () => void = () => {}) {
  const wire = new Wire();
  const transport = new GuardedTransport(wire);
  const errors: string[] = [];
  transport.onerror = ({ message }) => void errors.push(message);
  transport.onmessage = onmessage;
  await transport.start();
  return { wire, transport, errors };
}

describe("an exception while a message is handled", () => {
  const failing = (): void => {
    throw new RangeError("Maximum call stack size exceeded");
  };

  it("is logged and answered with an error under the request's id", async () => {
    const { wire, errors } = await guarded(failing);
    wire.comes({ id: "a" });
    expect(wire.sent).toMatchObject([{ id: "a", error: { code: -32603 } }]);
    expect(JSON.stringify(wire.sent)).not.toContain("call stack");
    expect(errors[0]).toContain("call stack");
  });

  it("is answered for requests only", async () => {
    const { wire, errors } = await guarded(failing);
    wire.onmessage?.({ jsonrpc: "2.0", method: "notifications/initialized" });
    wire.onmessage?.({ jsonrpc: "2.0", id: 1, result: {} });
    expect(wire.sent).toEqual([]);
    expect(errors).toHaveLength(2);
  });

  it("when the connection closes is logged, too", async () => {
    const { wire, transport, errors } = await guarded();
    transport.onclose = failing;
    await wire.close();
    expect(errors).toHaveLength(1);
  });

  it("is contained where the SDK throws over a deep response", async () => {
    const wire = await served();
    let deep: unknown = [];
    for (let depth = 0; depth < 50_000; depth++) deep = [deep];
    wire.onmessage?.({ jsonrpc: "2.0", id: 77, result: { deep } });
    wire.comes({ id: 2, method: "ping" });
    await expect.poll(() => wire.sent).toEqual([{ jsonrpc: "2.0", id: 2, result: {} }]);
  });
});

async function served(): Promise<Wire> {
  const client = new FoundryClient({ endpoint: "http://127.0.0.1:9" });
  onTestFinished(() => client.close());
  const wire = new Wire();
  await createServer({ backend: backendOf({ client }) }).connect(wire);
  return wire;
}

describe("invalid params are refused with -32602 and a sentence that names the param", () => {
  it.each<[string, object | undefined, string]>([
    ["initialize", undefined, "params"],
    ["initialize", {}, "protocolVersion"],
    ["initialize", { protocolVersion: 5 }, "protocolVersion"],
    ["initialize", { protocolVersion: "1", capabilities: [], clientInfo: 5 }, "capabilities"],
    ["initialize", { protocolVersion: "1", capabilities: {}, clientInfo: {} }, "clientInfo.name"],
    ["tools/list", { cursor: 5 }, "cursor"],
    ["tools/call", undefined, "params"],
    ["tools/call", {}, "name"],
    ["tools/call", { name: 5 }, "name"],
    ["tools/call", { name: "complete", arguments: 5 }, "arguments"],
    ["tools/call", { name: "complete", arguments: "Hello" }, "arguments"],
    ["tools/call", { name: "x".repeat(100_000) }, "no tool"],
    ["resources/list", { cursor: {} }, "cursor"],
    ["resources/list", { cursor: "x".repeat(100_000) }, "cursor"],
    ["resources/templates/list", { cursor: 5 }, "cursor"],
    ["resources/read", undefined, "uri"],
    ["resources/read", { uri: 5 }, "uri"],
    ["resources/subscribe", { uri: null }, "uri"],
    ["resources/unsubscribe", {}, "uri"],
    ["prompts/get", { name: 5 }, "name"],
    ["prompts/list", { cursor: 5 }, "cursor"],
    ["prompts/list", { cursor: "5" }, "cursor"],
    ["tools/list", { cursor: "5" }, "cursor"],
    ["resources/templates/list", { cursor: "5" }, "cursor"],
  ])("%s with %j", async (method, params, name) => {
    const wire = await served();
    wire.comes({ method, ...(params && { params }) });
    await expect.poll(() => wire.sent.length).toBe(1);
    expect(wire.sent).toMatchObject([
      { id: 1, error: { code: -32602, message: expect.stringContaining(name) } },
    ]);
    const text = JSON.stringify(wire.sent);
    expect(text).not.toMatch(/invalid_|expected|\\"path/i);
    expect(text.length).toBeLessThan(1000);
  });

  it.each(["sampling/createMessage", "logging/setLevel", "x".repeat(100_000)])(
    "%s is an unknown method, whatever its params",
    async (method) => {
      const wire = await served();
      wire.comes({ method, params: { level: 5 } });
      await expect.poll(() => wire.sent.length).toBe(1);
      expect(wire.sent).toMatchObject([{ id: 1, error: { code: -32601 } }]);
      expect(JSON.stringify(wire.sent).length).toBeLessThan(1000);
    },
  );

  it.each(["", " ", "null", "[]", "{}"])("the arguments %j are like none", async (text) => {
    const wire = await served();
    wire.comes({ method: "tools/call", params: { name: "nope", arguments: text } });
    await expect.poll(() => wire.sent.length).toBe(1);
    expect(JSON.stringify(wire.sent)).toContain("There is no tool");
  });

  it("a requested task is ignored, as the protocol requires", async () => {
    const wire = await served();
    wire.comes({ method: "ping", params: { task: { ttl: 1 } } });
    await expect.poll(() => wire.sent).toEqual([{ jsonrpc: "2.0", id: 1, result: {} }]);
  });
});

describe("a sent error", () => {
  it("is shortened to a length that can be shown, including its data", async () => {
    const { wire, transport } = await guarded();
    const message = "x".repeat(100_000);
    await transport.send({ jsonrpc: "2.0", id: 1, error: { code: 5, message, data: { message } } });
    await transport.send({ jsonrpc: "2.0", id: 2, error: { code: 5, message: "a", data: [1] } });
    expect(wire.sent).toEqual([
      { jsonrpc: "2.0", id: 1, error: { code: 5, message: "x".repeat(LONGEST_ERROR) } },
      { jsonrpc: "2.0", id: 2, error: { code: 5, message: "a", data: [1] } },
    ]);
  });
});
