import { PassThrough } from "node:stream";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import { describe, expect, it } from "vitest";
import { LineTransport } from "../../src/mcp/line-transport.js";

async function started(longestLine?: number) {
  const input = new PassThrough();
  const output = new PassThrough();
  const transport = new LineTransport(input, output, longestLine);
  const received: JSONRPCMessage[] = [];
  const state = { isClosed: false };
  transport.onmessage = (message) => void received.push(message);
  transport.onclose = () => {
    state.isClosed = true;
  };
  await transport.start();
  const answers = (): unknown[] =>
    String(output.read() ?? "")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  return { input, output, transport, received, answers, state };
}

const PING = { jsonrpc: "2.0", id: 1, method: "ping" };
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

describe("messages over a pair of streams", () => {
  it("arrive whole, at whatever byte they are split", async () => {
    const message = { ...PING, params: { text: "Grüße, 世界 🌍" } };
    const bytes = Buffer.from(`${JSON.stringify(message)}\r\n${JSON.stringify(PING)}\n`);
    for (let at = 1; at < bytes.length; at++) {
      const { input, received } = await started();
      input.write(bytes.subarray(0, at));
      input.write(bytes.subarray(at));
      await settled();
      expect(received).toEqual([message, PING]);
    }
  });

  it("may come as a list", async () => {
    const { input, received } = await started();
    input.write(`${JSON.stringify([PING, { ...PING, id: 2 }])}\n`);
    await settled();
    expect(received).toEqual([PING, { ...PING, id: 2 }]);
  });

  it("may be 20 MB long", async () => {
    const { input, received } = await started();
    const message = { ...PING, params: { text: "x".repeat(20_000_000) } };
    input.write(`${JSON.stringify(message)}\n`);
    await settled();
    expect(received).toEqual([message]);
  });

  it("that are no JSON are answered as that, and the next one arrives", async () => {
    const { input, received, answers } = await started();
    input.write(`warning: something\n\n{"jsonrpc":\n${JSON.stringify(PING)}\n`);
    await settled();
    expect(received).toEqual([PING]);
    expect(answers()).toMatchObject([{ error: { code: -32700 } }, { error: { code: -32700 } }]);
  });

  it("that are no JSON-RPC are answered under their id, so that nobody waits", async () => {
    const { input, answers } = await started();
    input.write(`{"jsonrpc":"2.0","id":"a","method":5}\n{"id":7,"method":"ping"}\n`);
    await settled();
    expect(answers()).toMatchObject([
      { id: "a", error: { code: -32600 } },
      { id: 7, error: { code: -32600 } },
    ]);
  });

  it("that are too long are refused, and the next one arrives", async () => {
    const { input, received, answers } = await started(100);
    input.write("x".repeat(60));
    input.write("x".repeat(60));
    input.write(`x\n${JSON.stringify(PING)}\n`);
    await settled();
    expect(received).toEqual([PING]);
    expect(answers()).toMatchObject([{ error: { code: -32600 } }]);
  });

  it("end with the input", async () => {
    const { input, state } = await started();
    input.end();
    await settled();
    expect(state.isClosed).toBe(true);
  });

  it("end when the output breaks, however often it says so", async () => {
    const { output, transport, state } = await started();
    output.destroy(new Error("EPIPE"));
    await expect(transport.send({ jsonrpc: "2.0", id: 1, result: {} })).rejects.toThrow();
    await settled();
    output.emit("error", new Error("EPIPE again"));
    expect(state.isClosed).toBe(true);
  });
});
