import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { standStill } from "../stand-still.js";
import {
  dataOf,
  get,
  httpServer,
  post,
  signalled,
  tcpServer,
  tokenStreamOf,
  transportTo,
} from "./servers.js";

const SSE = { "Content-Type": "text/event-stream" };

/** Writes these pieces, each after a pause. */
async function drip(response: ServerResponse, pauseMs: number, pieces: string[]): Promise<void> {
  for (const piece of pieces) {
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    if (response.destroyed) return;
    response.write(piece);
  }
}

function* endless(piece: string): Generator<string> {
  for (;;) yield piece;
}

/** A service that sends the same at full speed for as long as it is read. */
function floodOf(piece: string) {
  return httpServer((_request, response) => {
    response.writeHead(200, SSE);
    pipeline(Readable.from(endless(piece)), response).catch(() => {});
  });
}

describe("a timeout of a process that stood still", () => {
  it("does not end an answer that has arrived meanwhile", async () => {
    const { baseUrl } = await httpServer((_request, response) => {
      response.end("x");
      standStill(1500);
    });
    const limits = { firstByteMs: 1000, wholeMs: 1000 };
    expect(await transportTo(baseUrl).request(post("/", { limits }))).toMatchObject({ body: "x" });
  });

  it("does not end a stream whose next event has arrived meanwhile", async () => {
    let more = (): void => {};
    const { baseUrl } = await httpServer((_request, response) => {
      response.writeHead(200, SSE).write("data: token 1\n\n");
      more = () => void response.end("data: token 2\n\n");
    });
    const stream = await transportTo(baseUrl).stream(
      tokenStreamOf({ limits: { silenceMs: 1000 } }),
    );
    const read: string[] = [];
    for await (const { data } of stream) {
      read.push(data);
      if (read.length > 1) continue;
      // When the reader waits again.
      setTimeout(() => {
        more();
        standStill(1500);
      }, 10);
    }
    expect(read).toEqual(["token 1", "token 2"]);
  });
});

describe("the connect timeout", () => {
  it("ends an attempt without a connection, which is retried, also for a POST", async () => {
    // A TLS handshake that is never answered keeps the connection from being established.
    let connections = 0;
    const { port, sockets } = await tcpServer((socket) => {
      connections += 1;
      socket.resume();
    });
    const transport = transportTo(`https://127.0.0.1:${port}`, {
      connectMs: 40,
      retry: { retries: 1, initialPauseMs: 0 },
    });
    await expect(transport.request(post())).rejects.toMatchObject({
      code: "TIMEOUT",
      phase: "connect",
      message: `https://127.0.0.1:${port} did not greet a secure connection (https) within 40 ms.`,
      attempts: 2,
    });
    await expect.poll(() => connections).toBe(2);
    await expect.poll(() => sockets.size).toBe(0);
  });
});

describe("the timeout for the first byte", () => {
  it("ends an unanswered GET, which is retried, and a POST, which is not", async () => {
    let count = 0;
    const { baseUrl, sockets } = await httpServer(() => {
      count += 1;
    });
    const transport = transportTo(baseUrl, { retry: { retries: 2, initialPauseMs: 0 } });
    const limits = { firstByteMs: 1000 };
    const late = { code: "TIMEOUT", phase: "first_byte" };
    await expect(transport.request(get("/", { limits }))).rejects.toMatchObject({
      ...late,
      attempts: 3,
    });
    expect(count).toBe(3);
    await expect(transport.request(post("/", { limits }))).rejects.toMatchObject({
      ...late,
      attempts: 1,
      retryable: false,
    });
    expect(count).toBe(4);
    expect(transport.circuit.state).toBe("closed");
    await expect.poll(() => sockets.size).toBe(0);
  });

  it("of a request is satisfied by the head of the answer", async () => {
    const { baseUrl } = await httpServer(async (_request, response) => {
      response.flushHeaders();
      await drip(response, 2000, ["x"]);
      response.end();
    });
    const limits = { firstByteMs: 1500 };
    expect((await transportTo(baseUrl).request(get("/", { limits }))).body).toBe("x");
  });

  it("of a stream is not satisfied by the head or comments, and causes no retry", async () => {
    let count = 0;
    const { baseUrl } = await httpServer(async (_request, response) => {
      count += 1;
      response.writeHead(200, SSE).flushHeaders();
      await drip(response, 20, Array(100).fill(": keep-alive\n\n"));
    });
    const asked = transportTo(baseUrl).stream(tokenStreamOf({ limits: { firstByteMs: 1000 } }));
    await expect(asked).rejects.toMatchObject({
      code: "TIMEOUT",
      phase: "first_byte",
      attempts: 1,
    });
    expect(count).toBe(1);
  });
});

describe("no timeout", () => {
  it("allows a silence longer than the five minutes of undici's defaults", async () => {
    const received = signalled();
    let answer: () => void = () => {};
    let finish: () => void = () => {};
    const { baseUrl } = await httpServer((_request, response) => {
      answer = () => response.write("a");
      finish = () => response.end("b");
      received.fire();
    });
    const realSetTimeout = setTimeout;
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const asked = transportTo(baseUrl).request(post());
    await received.promise;
    await vi.advanceTimersByTimeAsync(1_000_000);
    answer();
    await new Promise((resolve) => realSetTimeout(resolve, 50));
    await vi.advanceTimersByTimeAsync(1_000_000);
    finish();
    expect(await asked).toMatchObject({ body: "ab", attempts: 1 });
  });
});

describe("the stall timeout", () => {
  it("ends an answer that stops in the middle, and not one that continues", async () => {
    const { baseUrl } = await httpServer(async (request, response) => {
      response.flushHeaders();
      await drip(response, 400, ["a", "b", "c", "d", "e"]);
      if (request.url === "/whole") response.end();
    });
    const transport = transportTo(baseUrl);
    const limits = { silenceMs: 1500 };
    expect((await transport.request(get("/whole", { limits }))).body).toBe("abcde");
    await expect(transport.request(get("/half", { limits }))).rejects.toMatchObject({
      code: "TIMEOUT",
      phase: "silence",
      attempts: 1,
    });
  });

  it("ends a stream that only sends comments, and keeps the text before them", async () => {
    const { baseUrl } = await httpServer(async (_request, response) => {
      response.writeHead(200, SSE);
      response.write("data: token\n\n");
      await drip(response, 20, Array(100).fill(": keep-alive\n\n"));
    });
    const spec = tokenStreamOf({ limits: { firstByteMs: 20_000, silenceMs: 1000 } });
    const stream = await transportTo(baseUrl).stream(spec);
    const read: string[] = [];
    const reading = (async () => {
      for await (const { data } of stream) read.push(data);
    })();
    await expect(reading).rejects.toMatchObject({ code: "TIMEOUT", phase: "silence", attempts: 1 });
    expect(read).toEqual(["token"]);
  });

  it.each([
    ["empty events", "data: {}\n\n"],
    ["the role again and again", 'data: {"role":"assistant"}\n\n'],
    ["counts", 'event: usage\ndata: {"usage":{"total":0}}\n\n'],
    ["names without data, and comments", "event: ping\n\n: x\n\n"],
    ["a line that never ends", "x"],
  ])("is not restarted by %s, before the start or after it", async (_what, piece) => {
    const { baseUrl } = await httpServer(async (request, response) => {
      response.writeHead(200, SSE);
      response.write("data: role\n\n");
      if (request.url === "/started") response.write("data: token\n\n");
      // Longer than the timeout of the test.
      await drip(response, 20, Array(3000).fill(piece));
    });
    const error = { code: "TIMEOUT", phase: "silence" };
    const limits = { silenceMs: 1000 };
    const transport = transportTo(baseUrl);
    const before = expect(transport.stream(tokenStreamOf({ limits }))).rejects.toMatchObject(error);
    const started = await transport.stream(tokenStreamOf({ limits, path: "/started" }));
    await expect(dataOf(started)).rejects.toMatchObject(error);
    await before;
  });

  it("expires also where empty events arrive without a pause, and other calls continue", async () => {
    const { baseUrl } = await floodOf("data: {}\n\n".repeat(5000));
    const began = performance.now();
    const asked = transportTo(baseUrl).stream(tokenStreamOf({ limits: { silenceMs: 1000 } }));
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 10);
    await expect(asked).rejects.toMatchObject({ code: "TIMEOUT", phase: "silence" });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(5);
    expect(performance.now() - began).toBeLessThan(20_000);
  });

  it("does not limit the size of a stream of comments", async () => {
    const { baseUrl, sockets } = await floodOf(`: ${"x".repeat(100_000)}\n\n`);
    await expect(transportTo(baseUrl).stream(tokenStreamOf())).rejects.toMatchObject({
      code: "RESPONSE_TOO_LARGE",
    });
    await vi.waitFor(() => expect(sockets.size).toBe(0));
  });

  it("counts between the events before the start of a stream too", async () => {
    const { baseUrl } = await httpServer((_request, response) => {
      response.writeHead(200, SSE).write("data: role\n\n");
    });
    const asked = transportTo(baseUrl).stream(tokenStreamOf({ limits: { silenceMs: 40 } }));
    await expect(asked).rejects.toMatchObject({ code: "TIMEOUT", phase: "silence", attempts: 1 });
  });

  it("does not include the time of a slow reader", async () => {
    const { baseUrl } = await httpServer(async (_request, response) => {
      response.writeHead(200, SSE);
      await drip(response, 10, ["data: token 1\n\n", "data: token 2\n\n"]);
      await drip(response, 3000, ["data: token 3\n\n"]);
      response.end();
    });
    const stream = await transportTo(baseUrl).stream(
      tokenStreamOf({ limits: { silenceMs: 1500 } }),
    );
    const read: string[] = [];
    for await (const { data } of stream) {
      read.push(data);
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
    expect(read).toHaveLength(3);
  });
});

describe("the timeout for the whole call", () => {
  it("ends an answer that takes too long, without a retry", async () => {
    const { baseUrl } = await httpServer(async (_request, response) => {
      response.flushHeaders();
      await drip(response, 20, Array(50).fill("x"));
    });
    const limits = { wholeMs: 120 };
    await expect(transportTo(baseUrl).request(get("/", { limits }))).rejects.toMatchObject({
      code: "TIMEOUT",
      phase: "whole",
      attempts: 1,
    });
  });

  it("ends a stream that is not read", async () => {
    const { baseUrl, sockets } = await httpServer((_request, response) => {
      response.writeHead(200, SSE).write("data: token\n\n");
    });
    const stream = await transportTo(baseUrl).stream(tokenStreamOf({ limits: { wholeMs: 1500 } }));
    await expect.poll(() => sockets.size).toBe(0);
    await expect(dataOf(stream)).rejects.toMatchObject({ code: "TIMEOUT", phase: "whole" });
  });

  it("may be longer than a timer's maximum", async () => {
    const { baseUrl } = await httpServer((_request, response) => response.end("x"));
    const limits = { wholeMs: 1e12, firstByteMs: 1e12, silenceMs: 1e12 };
    expect((await transportTo(baseUrl).request(get("/", { limits }))).body).toBe("x");
  });
});
