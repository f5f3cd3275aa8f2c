import { getEventListeners } from "node:events";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { deadPort } from "../ports.js";
import {
  dataOf,
  get,
  httpServer,
  post,
  signalled,
  streamOf,
  tcpServer,
  transportTo,
} from "./servers.js";

const SSE = { "Content-Type": "text/event-stream" };
const CANCELLED = { code: "CANCELLED", message: "The call was cancelled." };

describe("the caller's abort", () => {
  it("that came before the call sends nothing", async () => {
    const onRequest = vi.fn();
    const { baseUrl } = await httpServer(onRequest);
    const transport = transportTo(baseUrl);
    const signal = AbortSignal.abort();
    await expect(transport.request(get("/", { signal }))).rejects.toMatchObject(CANCELLED);
    await expect(transport.stream(streamOf({ signal }))).rejects.toMatchObject(CANCELLED);
    expect(onRequest).not.toHaveBeenCalled();
  });

  it("ends a call that is still connecting, and closes its socket", async () => {
    const connected = signalled();
    const { port, sockets } = await tcpServer((socket) => {
      socket.resume();
      connected.fire();
    });
    const caller = new AbortController();
    const transport = transportTo(`https://127.0.0.1:${port}`, { connectMs: 60_000 });
    const asked = transport.request(post("/", { signal: caller.signal }));
    asked.catch(() => {});
    await connected.promise;
    caller.abort();
    await expect(asked).rejects.toMatchObject({ ...CANCELLED, attempts: 1 });
    await expect.poll(() => sockets.size).toBe(0);
  });

  it("ends a call that is waiting for its answer, and closes the connection", async () => {
    const received = signalled();
    const { baseUrl, sockets } = await httpServer(() => received.fire());
    const caller = new AbortController();
    const asked = transportTo(baseUrl).request(post("/", { signal: caller.signal }));
    asked.catch(() => {});
    await received.promise;
    caller.abort();
    await expect(asked).rejects.toMatchObject({ ...CANCELLED, attempts: 1 });
    await expect.poll(() => sockets.size).toBe(0);
  });

  it("ends a call in the middle of the body", async () => {
    const begun = signalled();
    const { baseUrl, sockets } = await httpServer((_request, response) => {
      response.write("half");
      setTimeout(begun.fire, 20);
    });
    const caller = new AbortController();
    const asked = transportTo(baseUrl).request(get("/", { signal: caller.signal }));
    asked.catch(() => {});
    await begun.promise;
    caller.abort();
    await expect(asked).rejects.toMatchObject(CANCELLED);
    await expect.poll(() => sockets.size).toBe(0);
  });

  it("ends a call in the middle of an error's body, with CANCELLED", async () => {
    const begun = signalled();
    const { baseUrl } = await httpServer((_request, response) => {
      response.writeHead(400).write("half");
      setTimeout(begun.fire, 20);
    });
    const caller = new AbortController();
    const asked = transportTo(baseUrl).request(get("/", { signal: caller.signal }));
    asked.catch(() => {});
    await begun.promise;
    caller.abort();
    await expect(asked).rejects.toMatchObject(CANCELLED);
  });

  it("ends the pause before a retry", async () => {
    const refused = signalled();
    const { baseUrl } = await httpServer((_request, response) => {
      response.writeHead(503, { "Retry-After": "60" }).end(() => setTimeout(refused.fire, 20));
    });
    const caller = new AbortController();
    const transport = transportTo(baseUrl, { retry: { maxPauseMs: 60_000 } });
    const asked = transport.request(get("/", { signal: caller.signal }));
    asked.catch(() => {});
    await refused.promise;
    caller.abort();
    await expect(asked).rejects.toMatchObject({ ...CANCELLED, attempts: 1 });
  });

  it("ends a stream before its first event", async () => {
    const received = signalled();
    const { baseUrl, sockets } = await httpServer((_request, response) => {
      response.writeHead(200, SSE).flushHeaders();
      setTimeout(received.fire, 20);
    });
    const caller = new AbortController();
    const asked = transportTo(baseUrl).stream(streamOf({ signal: caller.signal }));
    asked.catch(() => {});
    await received.promise;
    caller.abort();
    await expect(asked).rejects.toMatchObject({ ...CANCELLED, attempts: 1 });
    await expect.poll(() => sockets.size).toBe(0);
  });

  it("ends a stream while it is read, also between two received events", async () => {
    const { baseUrl, sockets } = await httpServer((_request, response) => {
      response.writeHead(200, SSE).write("data: 1\n\ndata: 2\n\n");
    });
    for (const readBefore of [1, 2]) {
      const caller = new AbortController();
      const stream = await transportTo(baseUrl).stream(streamOf({ signal: caller.signal }));
      const read: string[] = [];
      const reading = (async () => {
        for await (const { data } of stream) {
          read.push(data);
          if (read.length === readBefore) caller.abort();
        }
      })();
      await expect(reading).rejects.toMatchObject(CANCELLED);
      expect(read).toHaveLength(readBefore);
    }
    await expect.poll(() => sockets.size).toBe(0);
  });

  it("ends a stream that was received completely but not read yet", async () => {
    const { baseUrl } = await httpServer((_request, response) => {
      response.writeHead(200, SSE).end("data: 1\n\ndata: 2\n\n");
    });
    const caller = new AbortController();
    const stream = await transportTo(baseUrl).stream(streamOf({ signal: caller.signal }));
    await new Promise((resolve) => setTimeout(resolve, 30));
    caller.abort();
    await expect(dataOf(stream)).rejects.toMatchObject(CANCELLED);
  });

  it("ends a stream that is not read", async () => {
    const { baseUrl, sockets } = await httpServer((_request, response) => {
      response.writeHead(200, SSE).write("data: 1\n\n");
    });
    const caller = new AbortController();
    const stream = await transportTo(baseUrl).stream(streamOf({ signal: caller.signal }));
    caller.abort();
    await expect.poll(() => sockets.size).toBe(0);
    await expect(dataOf(stream)).rejects.toMatchObject(CANCELLED);
  });
});

describe("a signal that outlives many calls", () => {
  it("has no listener left when the calls have ended, however they ended", async () => {
    const { baseUrl } = await httpServer((request, response) => {
      if (request.url === "/stream") response.writeHead(200, SSE).end("data: 1\n\ndata: 2\n\n");
      else response.writeHead(request.url === "/ok" ? 200 : 400).end("x");
    });
    const { signal } = new AbortController();
    const transport = transportTo(baseUrl);
    await transport.request(get("/ok", { signal }));
    await transport.request(get("/bad", { signal })).catch(() => {});
    await dataOf(await transport.stream(streamOf({ path: "/stream", signal })));
    for await (const _event of await transport.stream(streamOf({ path: "/stream", signal }))) break;
    await transport.stream(streamOf({ path: "/bad", signal })).catch(() => {});
    await transport.stream(streamOf({ path: "/stream", signal })); // comes whole, is never read
    const tooLong = get("/", { signal, headLimitBytes: 1 });
    await transport.request(tooLong).catch(() => {});
    await expect.poll(() => getEventListeners(signal, "abort")).toEqual([]);
  });

  it("ends all calls that share it, and has no listener left", async () => {
    const { baseUrl } = await httpServer(() => {});
    const caller = new AbortController();
    const transport = transportTo(baseUrl);
    const { signal } = caller;
    const asked = Array.from({ length: 20 }, () => transport.request(get("/", { signal })));
    caller.abort();
    const ended = await Promise.allSettled(asked);
    expect(ended).toEqual(
      Array(20).fill({ status: "rejected", reason: expect.objectContaining(CANCELLED) }),
    );
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

describe("close()", () => {
  const CLOSED = { code: "CLIENT_CLOSED", message: "The client was closed." };

  it("ends every call in flight, in any phase, and every later call", async () => {
    const received = signalled();
    const { baseUrl, sockets } = await httpServer((request, response) => {
      if (request.url === "/silent") received.fire();
      else if (request.url === "/busy") response.writeHead(503, { "Retry-After": "60" }).end();
      else response.writeHead(200, SSE).write("data: 1\n\n");
    });
    const transport = transportTo(baseUrl, { retry: { maxPauseMs: 60_000 } });
    const stream = await transport.stream(streamOf());
    const unread = await transport.stream(streamOf());
    const busy = transport.request(get("/busy"));
    const silent = transport.request(get("/silent"));
    const reading = dataOf(stream);
    const inFlight = Promise.allSettled([busy, silent, reading]);
    await received.promise;
    await new Promise((resolve) => setTimeout(resolve, 20));
    const closing = transport.close();
    const late = transport.request(get());
    await expect(late).rejects.toMatchObject(CLOSED);
    await closing;
    expect(await inFlight).toEqual(
      Array(3).fill({ status: "rejected", reason: expect.objectContaining(CLOSED) }),
    );
    await expect(dataOf(unread)).rejects.toMatchObject(CLOSED);
    await expect(transport.stream(streamOf())).rejects.toMatchObject(CLOSED);
    await expect.poll(() => sockets.size).toBe(0);
  });

  it("ends a call that is still connecting, and closes its socket", async () => {
    const connected = signalled();
    const { port, sockets } = await tcpServer((socket) => {
      socket.resume();
      connected.fire();
    });
    const transport = transportTo(`https://127.0.0.1:${port}`, { connectMs: 60_000 });
    const asked = transport.request(get());
    asked.catch(() => {});
    await connected.promise;
    await transport.close();
    await expect(asked).rejects.toMatchObject(CLOSED);
    await expect.poll(() => sockets.size).toBe(0);
  });

  it("may be called twice", async () => {
    const transport = transportTo(`http://127.0.0.1:${await deadPort()}`);
    await Promise.all([transport.close(), transport.close()]);
    await transport.close();
  });
});

describe("the rejection of a call without a handler", () => {
  it("is never an unhandled rejection", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    onTestFinished(() => {
      process.off("unhandledRejection", unhandled);
    });
    const cuts: (() => void)[] = [];
    const { baseUrl, sockets } = await httpServer((_request, response) => {
      response.writeHead(200, SSE).write("data: 1\n\n");
      cuts.push(() => response.socket?.resetAndDestroy());
    });
    const transport = transportTo(baseUrl);
    await transport.stream(streamOf());
    for (const cut of cuts) cut();
    const { signal } = new AbortController();
    await transport.stream(streamOf({ signal, limits: { wholeMs: 1500 } }));
    // The first was reset, the second ran out of time.
    await expect.poll(() => sockets.size).toBe(0);
    await transport.close();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(unhandled).not.toHaveBeenCalled();
  });
});
