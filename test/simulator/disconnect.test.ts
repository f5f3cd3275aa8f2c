import { connect } from "node:net";
import { buffer } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { startSimulator } from "../../src/simulator/index.js";
import { chat, MODEL } from "./ask.js";

const SLOW = { id: MODEL, loaded: true, script: { text: "word ", forever: true } };
const TOKENS = 30;

async function leave(version: string, stream: boolean) {
  const simulator = await startSimulator({ version, models: [SLOW], tokensPerSecond: 40 });
  const leaving = stream ? { leaveAfterChunks: 3 } : { leaveAfterMilliseconds: 60 };
  await chat(simulator.url, { stream, max_tokens: TOKENS }, leaving);
  const request = await simulator.waitFor((s) => s.requests.find((r) => r.endedBy !== null));
  await simulator.waitFor((s) => s.generating === 0);
  await simulator.close();
  return request;
}

describe("a client that leaves", () => {
  it.each(["2.0.0", "2.0.1"])("does not stop C2 %s, which makes every token", async (version) => {
    const request = await leave(version, true);
    expect(request).toMatchObject({ endedBy: "client-gone", tokensGenerated: TOKENS });
    expect(request.tokensSent).toBeLessThan(TOKENS);
  });

  it.each(["2.1.0", "2.2.1"])("stops a stream of C2 %s", async (version) => {
    const request = await leave(version, true);
    expect(request.endedBy).toBe("client-gone");
    expect(request.tokensGenerated).toBeLessThan(TOKENS / 2);
  });

  it("does not stop an answer of C2 2.2.1 that is not streamed", async () => {
    expect(await leave("2.2.1", false)).toMatchObject({ tokensGenerated: TOKENS });
  });

  it.each([true, false])("stops a plain engine, streamed: %s", async (stream) => {
    await using simulator = await startSimulator({
      dialect: "openai",
      models: [SLOW],
      tokensPerSecond: 40,
    });
    const leaving = stream ? { leaveAfterChunks: 3 } : { leaveAfterMilliseconds: 60 };
    await chat(simulator.url, { stream, max_tokens: TOKENS }, leaving);
    const request = await simulator.waitFor((s) => s.requests.find((r) => r.endedBy !== null));
    await simulator.waitFor((s) => s.generating === 0);
    expect(request.tokensGenerated).toBeLessThan(TOKENS / 2);
  });
});

describe("a client that does not read", () => {
  it("gets an error and an end from the versions that bound their buffer", async () => {
    const script = { text: "x".repeat(6), forever: true };
    await using simulator = await startSimulator({
      models: [{ ...SLOW, script, contextLength: 1_000_000 }],
      switches: { streamBufferLimitBytes: 20_000 },
    });
    const body = JSON.stringify({
      model: MODEL,
      messages: [{ role: "user", content: "Hi" }],
      stream: true,
      max_tokens: 900_000,
    });
    const socket = connect(simulator.port, "127.0.0.1").pause();
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const request = await simulator.waitFor((s) => s.requests.find((r) => r.endedBy !== null));
    expect(request.tokensGenerated).toBeLessThan(900_000);
    const text = (await buffer(socket)).toString();
    expect(text).toContain(
      'event: error\ndata: {"error":{"code":null,"message":"SSE stream buffer limit exceeded"',
    );
    expect(text).not.toContain("[DONE]");
  });
});
