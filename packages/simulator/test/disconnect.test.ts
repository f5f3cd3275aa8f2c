import { once } from "node:events";
import { connect, createServer } from "node:net";
import { buffer } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { Clock } from "../src/clock.js";
import { OATPP } from "../src/dialects/c2/c2.js";
import type { Dialect } from "../src/dialects/dialect.js";
import { Faults } from "../src/faults/armed.js";
import { startSimulator } from "../src/index.js";
import { RequestLog } from "../src/received.js";
import { answerExchange } from "../src/serve.js";
import { Wire } from "../src/wire/wire.js";
import { chat, MODEL } from "./ask.js";

const SLOW = { id: MODEL, loaded: true, script: { text: "word ", forever: true } };
const TOKENS = 100;

async function leave(version: string, stream: boolean) {
  const simulator = await startSimulator({ version, models: [SLOW], tokensPerSecond: 40 });
  const leaving = stream ? { leaveAfterChunks: 3 } : { leaveAfterMilliseconds: 60 };
  await chat(simulator.url, { stream, max_tokens: TOKENS }, leaving);
  const request = await simulator.waitFor((s) => s.requests.find((r) => r.endedBy !== null));
  await simulator.waitFor((s) => s.generating === 0);
  await simulator.close();
  return request;
}

describe("a client that disconnects", () => {
  it.each(["2.0.0", "2.0.1"])("does not stop C2 %s, which makes every token", async (version) => {
    const request = await leave(version, true);
    expect(request).toMatchObject({ endedBy: "client-gone", tokensGenerated: TOKENS });
    expect(request.tokensSent).toBeLessThan(TOKENS);
  });

  it.each(["2.1.0", "2.2.1"])("stops a stream of C2 %s", async (version) => {
    const request = await leave(version, true);
    expect(request.endedBy).toBe("client-gone");
    expect(request.tokensGenerated).toBeLessThan(TOKENS);
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
    expect(request.tokensGenerated).toBeLessThan(TOKENS);
  });
});

it("is recorded as gone although its answer ends before the socket's close event", async () => {
  const log = new RequestLog();
  const server = createServer((socket) => {
    const head = { method: "GET", target: "/", protocol: "HTTP/1.1", headers: [] };
    const readBody = async () => null;
    const wire = new Wire(socket, false);
    const dialect: Dialect = {
      profile: OATPP,
      answer: async ({ reply }) => {
        reply.start();
        socket.destroy();
        reply.end();
      },
    };
    const tools = { dialect, faults: new Faults(), log, clock: new Clock() };
    void answerExchange({ head, wire, socket, closes: false, readBody }, 1, tools);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not a TCP server");
  const client = connect(address.port, "127.0.0.1");
  await log.waitFor(() => log.requests[0]?.endedBy, 20_000);
  client.destroy();
  server.close();
  expect(log.requests[0]?.endedBy).toBe("client-gone");
});

describe("a client that does not read", () => {
  it("gets an error and the end of the stream from versions with a bounded buffer", async () => {
    const script = { text: "x".repeat(6), forever: true };
    await using simulator = await startSimulator({
      models: [{ ...SLOW, script, contextLength: 1_000_000 }],
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
    const ended = () => simulator.requests.find((r) => r.endedBy !== null);
    const request = await simulator.waitFor(ended, 60_000);
    expect(request.tokensGenerated).toBeLessThan(900_000);
    const text = (await buffer(socket)).toString();
    expect(text).toContain(
      'event: error\ndata: {"error":{"code":null,"message":"SSE stream buffer limit exceeded"',
    );
    expect(text).not.toContain("[DONE]");
  });
});
