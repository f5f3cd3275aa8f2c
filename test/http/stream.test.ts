import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { describe, expect, it, vi } from "vitest";
import type { StreamEvent } from "../../src/http/types.js";
import { FoundryError } from "../../src/lib/errors.js";
import { deadPort } from "../ports.js";
import {
  dataOf,
  events,
  httpServer,
  signalled,
  tcpServer,
  tokenStreamOf,
  transportTo,
} from "./servers.js";

/** A server of events. It sends C2's duplicate headers, which break some clients. */
function eventServer(
  write: (response: ServerResponse, count: number, request: IncomingMessage) => unknown,
) {
  let count = 0;
  return httpServer((request, response) => {
    count += 1;
    response.writeHead(200, [
      "Content-Type",
      "text/event-stream",
      "Content-Type",
      "text/event-stream",
    ]);
    response.flushHeaders();
    write(response, count, request);
  });
}

describe("a stream", () => {
  it("passes on every event, also those before its start", async () => {
    const { baseUrl } = await eventServer((response) => {
      response.write('data: {"role":"assistant"}\n\n: keep-alive\n\nevent: x\ndata: token 1\n\n');
      response.end("data: token 2\n\ndata: [DONE]\n\n");
    });
    const stream = await transportTo(baseUrl).stream(tokenStreamOf());
    const events: StreamEvent[] = [];
    for await (const event of stream) events.push(event);
    expect(events).toEqual([
      { data: '{"role":"assistant"}', event: null, value: { role: "assistant" } },
      { data: "token 1", event: "x" },
      { data: "token 2", event: null },
      { data: "[DONE]", event: null },
    ]);
    expect(stream.attempts).toBe(1);
  });

  it("resolves at its start, before the rest has arrived", async () => {
    const more = signalled();
    const { baseUrl } = await eventServer(async (response) => {
      response.write("data: token 1\n\n");
      await more.promise;
      response.end("data: token 2\n\n");
    });
    const stream = await transportTo(baseUrl).stream(tokenStreamOf());
    const asked: string[] = [];
    const { read } = tokenStreamOf();
    expect(read({ data: "token", event: null }).isPart).toBe(true);
    more.fire();
    for await (const { data } of stream) asked.push(data);
    expect(asked).toEqual(["token 1", "token 2"]);
  });

  it("reads each event once", async () => {
    const { baseUrl } = await eventServer((response) => {
      response.end("data: a\n\ndata: token\n\ndata: b\n\n");
    });
    const read = vi.fn(events(({ data }) => data === "token"));
    await dataOf(await transportTo(baseUrl).stream(tokenStreamOf({ read })));
    expect(read.mock.calls.map(([{ data }]) => data)).toEqual(["a", "token", "b"]);
  });

  it("keeps only the latest of many events before its start", async () => {
    const { baseUrl } = await eventServer((response) => {
      const many = Array.from({ length: 5000 }, (_, index) => `data: ${index}\n\n`);
      response.end(`${many.join("")}data: token\n\ndata: after\n\n`);
    });
    const read = await dataOf(await transportTo(baseUrl).stream(tokenStreamOf()));
    expect(read.length).toBeLessThan(100);
    expect(read.slice(-3)).toEqual(["4999", "token", "after"]);
  });

  it("that ends before its start passes on its events", async () => {
    const { baseUrl } = await eventServer((response) => {
      response.end('data: {"finish_reason":"stop"}\n\ndata: [DONE]');
    });
    const stream = await transportTo(baseUrl).stream(tokenStreamOf());
    expect(await dataOf(stream)).toEqual(['{"finish_reason":"stop"}', "[DONE]"]);
  });

  it("of one JSON document is a stream of one event", async () => {
    const body = '{"choices":[{"message":{"content":"the whole token"}}]}';
    const { baseUrl } = await httpServer((_request, response) => {
      response.writeHead(200, { "Content-Type": "application/json" }).end(body);
    });
    const stream = await transportTo(baseUrl).stream(tokenStreamOf());
    expect(await dataOf(stream)).toEqual([body]);
  });

  it.each([
    ["an HTML page", "text/html", "<html><title>Login</title></html>"],
    ["an HTML page", "application/json", "<!doctype html><p>x"],
    ["an empty answer", "application/json", " \n"],
    ["half a JSON", "application/json", '{"choices":[{"mess'],
    ["an empty stream", "text/event-stream", ": keep-alive\n\n"],
  ])("that is %s is an invalid answer, reported without markup", async (what, type, body) => {
    let count = 0;
    const { baseUrl } = await httpServer((_request, response) => {
      count += 1;
      response.writeHead(200, { "Content-Type": type }).end(body);
    });
    await expect(transportTo(baseUrl).stream(tokenStreamOf())).rejects.toMatchObject({
      code: "INVALID_RESPONSE",
      message: `${baseUrl} answered with ${what} where a stream of events was expected.`,
      retryable: false,
      attempts: 1,
    });
    expect(count).toBe(1);
  });

  it("that is refused has the error of its status, in plain JSON as C2 sends it", async () => {
    const { baseUrl } = await httpServer((_request, response) => {
      response.writeHead(400, { "Content-Type": "application/json" });
      response.end('{"error":{"message":"Model not loaded: x"}}');
    });
    await expect(transportTo(baseUrl).stream(tokenStreamOf())).rejects.toMatchObject({
      code: "SERVICE_ERROR",
      message: expect.stringContaining("Model not loaded: x"),
    });
  });

  it("ends with an error at an event above the limit", async () => {
    const { baseUrl, sockets } = await eventServer((response) => {
      response.write(`data: token\n\ndata: ${"x".repeat(2000)}\n\n`);
    });
    const stream = await transportTo(baseUrl).stream(tokenStreamOf({ maxBodyBytes: 1000 }));
    await expect(dataOf(stream)).rejects.toMatchObject({ code: "RESPONSE_TOO_LARGE" });
    await expect.poll(() => sockets.size).toBe(0);
  });

  it("applies backpressure to a fast service, and loses nothing", async () => {
    const event = `data: token ${"x".repeat(10_000)}\n\n`;
    const total = 3000;
    let written = 0;
    const { baseUrl } = await eventServer(async (response) => {
      for (; written < total && !response.destroyed; written += 1) {
        if (!response.write(event)) {
          await new Promise<void>((resolve) => response.once("drain", resolve));
        }
      }
      response.end();
    });
    const stream = await transportTo(baseUrl).stream(tokenStreamOf());
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(written).toBeLessThan(total);
    expect(await dataOf(stream)).toHaveLength(total);
  });
});

describe("a stream before its start", () => {
  it("is retried when the connection broke before any answer", async () => {
    let count = 0;
    const { baseUrl } = await httpServer((_request, response) => {
      count += 1;
      if (count < 3) response.socket?.resetAndDestroy();
      else response.writeHead(200, { "Content-Type": "text/event-stream" }).end("data: token\n\n");
    });
    const stream = await transportTo(baseUrl).stream(tokenStreamOf());
    expect(await dataOf(stream)).toEqual(["token"]);
    expect(stream.attempts).toBe(3);
  });

  it("is not retried when the service accepted it and broke off: the request may have crashed it", async () => {
    let asked = 0;
    let cut = (): void => {};
    const { baseUrl } = await eventServer((response, count) => {
      asked = count;
      response.write('data: {"role":"assistant"}\n\n');
      cut = () => response.socket?.resetAndDestroy();
    });
    const read = events(() => {
      cut();
      return false;
    });
    await expect(transportTo(baseUrl).stream(tokenStreamOf({ read }))).rejects.toMatchObject({
      code: "STREAM_INTERRUPTED",
      retryable: true,
      attempts: 1,
      message: expect.stringContaining("broke off before its first word"),
    });
    expect(asked).toBe(1);
  });

  it("is retried only after a retryable error inside it", async () => {
    const failing = (retryable: boolean) =>
      tokenStreamOf({
        read: events(({ data }) => {
          if (!data.startsWith('{"error"')) return true;
          throw new FoundryError("INFERENCE_FAILED", "no", { action: "none", retryable });
        }),
      });
    const { baseUrl, sockets } = await eventServer((response, count) => {
      response.write(count % 2 === 1 ? 'data: {"error":{}}\n\n' : "data: token\n\n");
    });
    const transport = transportTo(baseUrl);
    const stream = await transport.stream(failing(true));
    expect(stream.attempts).toBe(2);
    await expect(transport.stream(failing(false))).rejects.toMatchObject({
      code: "INFERENCE_FAILED",
      attempts: 1,
    });
    // Only the socket of the open stream.
    await expect.poll(() => sockets.size).toBe(1);
  });

  it("is not retried when reading an event throws", async () => {
    const { baseUrl } = await eventServer((response) => response.end("data: x\n\n"));
    const read = () => {
      throw new TypeError("undefined is not a function");
    };
    await expect(transportTo(baseUrl).stream(tokenStreamOf({ read }))).rejects.toMatchObject({
      code: "INTERNAL",
      attempts: 1,
    });
  });
});

describe("a stream after its start", () => {
  const breaks: [string, (socket: Socket) => unknown][] = [
    ["reset", (socket) => socket.resetAndDestroy()],
    ["closed", (socket) => socket.end()],
  ];

  it.each(breaks)(
    "that is %s keeps its text, is interrupted, and is not retried",
    async (_how, cut) => {
      let count = 0;
      let socket: Socket | null = null;
      const { baseUrl } = await eventServer((response) => {
        count += 1;
        response.write("data: token 1\n\ndata: token 2\n\n");
        socket = response.socket;
      });
      const stream = await transportTo(baseUrl).stream(tokenStreamOf());
      const read: string[] = [];
      const reading = (async () => {
        for await (const { data } of stream) {
          read.push(data);
          // A reset discards what the client has not read yet.
          if (read.length === 2 && socket !== null) cut(socket);
        }
      })();
      await expect(reading).rejects.toMatchObject({
        code: "STREAM_INTERRUPTED",
        retryable: true,
        attempts: 1,
      });
      expect(read).toEqual(["token 1", "token 2"]);
      expect(count).toBe(1);
    },
  );

  it("that broke off before it was read still passes on the received events, then the error", async () => {
    let cut = (): void => {};
    const { baseUrl } = await eventServer((response) => {
      response.write("data: token 1\n\ndata: token 2\n\n");
      cut = () => response.socket?.resetAndDestroy();
    });
    const stream = await transportTo(baseUrl).stream(tokenStreamOf());
    cut();
    await new Promise((resolve) => setTimeout(resolve, 60));
    const read: string[] = [];
    const reading = (async () => {
      for await (const { data } of stream) read.push(data);
    })();
    await expect(reading).rejects.toMatchObject({ code: "STREAM_INTERRUPTED", attempts: 1 });
    expect(read).toEqual(["token 1", "token 2"]);
  });

  it("is empty after its error", async () => {
    let cut = (): void => {};
    const { baseUrl } = await eventServer((response) => {
      response.write("data: token\n\n");
      cut = () => response.socket?.resetAndDestroy();
    });
    const stream = await transportTo(baseUrl).stream(tokenStreamOf());
    cut();
    await expect(dataOf(stream)).rejects.toThrow();
    expect(await dataOf(stream)).toEqual([]);
  });

  it("that the service cuts without keep-alive is interrupted, and never hangs", async () => {
    const { baseUrl } = await tcpServer((socket) => {
      socket.once("data", () => {
        socket.write(
          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n" +
            "Transfer-Encoding: chunked\r\n\r\nd\r\ndata: token\n\n\r\n",
        );
        setTimeout(() => socket.end(), 10);
      });
    });
    const stream = await transportTo(baseUrl).stream(tokenStreamOf());
    const read: string[] = [];
    const reading = (async () => {
      for await (const { data } of stream) read.push(data);
    })();
    await expect(reading).rejects.toMatchObject({ code: "STREAM_INTERRUPTED" });
    expect(read).toEqual(["token"]);
  });
});

describe("leaving a stream", () => {
  async function endless() {
    const gone = signalled();
    const { baseUrl } = await eventServer((response) => {
      response.write("data: token\n\n");
      const timer = setInterval(() => response.write("data: token\n\n"), 5);
      response.on("close", () => {
        clearInterval(timer);
        gone.fire();
      });
    });
    return { stream: await transportTo(baseUrl).stream(tokenStreamOf()), gone };
  }

  it("by breaking out of the loop closes the connection", async () => {
    const { stream, gone } = await endless();
    for await (const _event of stream) break;
    await gone.promise;
  });

  it("by an exception in the loop closes the connection", async () => {
    const { stream, gone } = await endless();
    const reading = (async () => {
      for await (const { data } of stream) throw new Error(`reader: ${data}`);
    })();
    await expect(reading).rejects.toThrow("reader: token");
    await gone.promise;
  });

  it("before the first event was read closes the connection", async () => {
    const { stream, gone } = await endless();
    await stream[Symbol.asyncIterator]().return?.();
    await gone.promise;
    expect(await dataOf(stream)).toEqual([]);
  });

  it("while waiting for an event ends the wait", async () => {
    const { baseUrl, sockets } = await eventServer((response) => {
      response.write("data: token\n\n");
    });
    const stream = await transportTo(baseUrl).stream(tokenStreamOf());
    const iterator = stream[Symbol.asyncIterator]();
    await iterator.next();
    const waiting = iterator.next();
    await iterator.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
    await expect.poll(() => sockets.size).toBe(0);
  });
});

describe("a stream from an address where nothing listens", () => {
  it("fails with SERVICE_UNREACHABLE after all its attempts", async () => {
    const transport = transportTo(`http://127.0.0.1:${await deadPort()}`);
    await expect(transport.stream(tokenStreamOf())).rejects.toMatchObject({
      code: "SERVICE_UNREACHABLE",
      attempts: 4,
    });
  });
});

describe("a stream that its reader leaves", () => {
  it("does not count as a connection that the endpoint dropped", async () => {
    const { baseUrl } = await eventServer((response) => response.write("data: token\n\n"));
    const transport = transportTo(baseUrl);
    const stream = await transport.stream(tokenStreamOf());
    for await (const _event of stream) break;
    await vi.waitFor(() => expect(transport.isIdle).toBe(true));
    await new Promise(setImmediate);
    expect(transport.drops).toBe(0);
  });
});
