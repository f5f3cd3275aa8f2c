import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, it, vi } from "vitest";
import { HttpTransport } from "../../src/http/index.js";
import type { HttpFailure } from "../../src/http/types.js";
import { FoundryError } from "../../src/lib/errors.js";
import { silentLogger } from "../../src/log.js";
import { deadPort } from "../ports.js";
import { bodyOf, get, httpServer, post, refused, tcpServer, transportTo } from "./servers.js";

const PROBE = { method: "GET", path: "/", limits: {}, toError: null } as const;

/** Answers one request per connection with these bytes, then closes it. */
function raw(answer: string | Uint8Array) {
  return tcpServer((socket) => socket.once("data", () => socket.end(answer)));
}

describe("a request", () => {
  it("returns status, headers and body", async () => {
    const { baseUrl } = await httpServer((_request, response) => {
      response.setHeader("X-Twice", ["a", "b"]);
      response.writeHead(201, { "Content-Type": "application/json" });
      response.end('{"text":"Grüße 🎉"}');
    });
    expect(await transportTo(baseUrl).request(get())).toEqual({
      status: 201,
      headers: expect.objectContaining({ "content-type": "application/json", "x-twice": "a, b" }),
      body: '{"text":"Grüße 🎉"}',
      attempts: 1,
      requestId: null,
    });
  });

  it("sends its body as JSON, with the extra headers, under the endpoint's own path", async () => {
    const { baseUrl } = await httpServer(async (request, response) => {
      const { method, url, headers } = request;
      response.end(JSON.stringify({ method, url, headers, body: await bodyOf(request) }));
    });
    const transport = transportTo(`${baseUrl}/catalogs/local`, {
      headers: { Authorization: "Bearer k" },
    });
    const { body } = await transport.request(post("/v1/x", { body: { a: "half \ud83d" } }));
    expect(JSON.parse(body)).toEqual({
      method: "POST",
      url: "/catalogs/local/v1/x",
      headers: {
        host: baseUrl.slice("http://".length),
        connection: "keep-alive",
        authorization: "Bearer k",
        "content-type": "application/json",
        "content-length": "16",
      },
      body: '{"a":"half \ufffd"}',
    });
  });

  it("sends Content-Length: 0 for a POST without a body, and leaves the path unchanged", async () => {
    const { baseUrl } = await httpServer((request, response) => {
      response.end(JSON.stringify([request.url, request.headers["content-length"] ?? null]));
    });
    const transport = transportTo(baseUrl);
    const path = "/models/load/a:1%2Fb";
    const { body: ofGet } = await transport.request(get(path));
    const { body: ofPost } = await transport.request({
      method: "POST",
      path,
      limits: {},
      toError: refused,
    });
    expect([JSON.parse(ofGet), JSON.parse(ofPost)]).toEqual([
      [path, null],
      [path, "0"],
    ]);
  });

  it("reuses a connection", async () => {
    const ports = new Set<number | undefined>();
    const { baseUrl } = await httpServer((request, response) => {
      ports.add(request.socket.remotePort);
      response.end("x");
    });
    const transport = transportTo(baseUrl);
    for (let i = 0; i < 20; i += 1) await transport.request(get());
    expect(ports.size).toBe(1);
  });

  it("never waits for another request: a hundred run concurrently", async () => {
    const waiting: (() => void)[] = [];
    const { baseUrl } = await httpServer((_request, response) => {
      waiting.push(() => response.end("x"));
      if (waiting.length === 100) for (const answer of waiting) answer();
    });
    const transport = transportTo(baseUrl);
    const answers = await Promise.all(Array.from({ length: 100 }, () => transport.request(get())));
    expect(answers).toHaveLength(100);
  });

  it("does not follow a redirect, and reports its target", async () => {
    const paths: (string | undefined)[] = [];
    const { baseUrl } = await httpServer((request, response) => {
      paths.push(request.url);
      response.writeHead(307, { Location: "https://elsewhere.example/" }).end("<html>moved</html>");
    });
    await expect(transportTo(baseUrl).request(post("/a"))).rejects.toMatchObject({
      code: "SERVICE_ERROR",
      status: 307,
      message: expect.stringContaining("redirected to https://elsewhere.example/"),
    });
    expect(paths).toEqual(["/a"]);
  });

  it("replaces bytes that are not UTF-8, and drops a byte order mark", async () => {
    const { baseUrl } = await httpServer((_request, response) => {
      response.end(Buffer.from([0xef, 0xbb, 0xbf, 0x61, 0xff, 0x62]));
    });
    expect((await transportTo(baseUrl).request(get())).body).toBe("a\ufffdb");
  });

  it("keeps characters whole that are split between two chunks", async () => {
    const bytes = Buffer.from("ab🎉cd");
    const { baseUrl } = await httpServer(async (_request, response) => {
      response.write(bytes.subarray(0, 4));
      await new Promise((resolve) => setTimeout(resolve, 20));
      response.end(bytes.subarray(4));
    });
    expect((await transportTo(baseUrl).request(get())).body).toBe("ab🎉cd");
  });

  it("reads a body of exactly the limit and refuses one byte more", async () => {
    const { baseUrl } = await httpServer((request, response) => {
      response.end("x".repeat(Number(request.url?.slice(1))));
    });
    const transport = transportTo(baseUrl);
    const maxBodyBytes = 100_000;
    const whole = await transport.request(get("/100000", { maxBodyBytes }));
    expect(whole.body).toHaveLength(100_000);
    await expect(transport.request(get("/100001", { maxBodyBytes }))).rejects.toMatchObject({
      code: "RESPONSE_TOO_LARGE",
      message: "The answer is larger than 100000 bytes.",
      attempts: 1,
    });
  });

  it("aborts an answer that exceeds the limit", async () => {
    const { baseUrl, sockets } = await httpServer((_request, response) => {
      setInterval(() => response.write("x".repeat(1000)), 1).unref();
    });
    const asked = transportTo(baseUrl).request(get("/", { maxBodyBytes: 5000 }));
    await expect(asked).rejects.toMatchObject({ code: "RESPONSE_TOO_LARGE" });
    await expect.poll(() => sockets.size).toBe(0);
  });
});

describe("an answer that is not 2xx", () => {
  it.each([
    ["JSON", "application/json", '{"error":{"message":"no such model"}}', "no such model"],
    ["half a JSON", "application/json", '{"error":{"message":"no such mo', "no such mo"],
    ["HTML", "text/html", "<html><title>Nope</title><p>x</p></html>", "Nope"],
    ["text", "text/plain", "no such model", "no such model"],
    ["nothing", "", "", "Bad Request"],
  ])("is an error with the message of its body, %s", async (_kind, contentType, body, text) => {
    const { baseUrl } = await httpServer((_request, response) => {
      response.writeHead(400, { "Content-Type": contentType }).end(body);
    });
    await expect(transportTo(baseUrl).request(get("/x"))).rejects.toMatchObject({
      code: "SERVICE_ERROR",
      status: 400,
      message: `400: ${text}`,
      attempts: 1,
    });
  });

  it("gets its error from `toError`", async () => {
    const { baseUrl } = await httpServer((_request, response) => {
      response.writeHead(418, { "Content-Type": "text/plain", "Retry-After": "7" }).end("teapot");
    });
    const toError = vi.fn(() => new FoundryError("MODEL_BUSY", "busy", { action: "wait" }));
    const asked = transportTo(baseUrl).request(post("/x", { toError }));
    await expect(asked).rejects.toMatchObject({ code: "MODEL_BUSY", attempts: 1 });
    expect(toError).toHaveBeenCalledExactlyOnceWith({
      brokeOff: null,
      kinds: [],
      status: 418,
      message: "teapot",
      body: "teapot",
      retryAfterMs: 7000,
    });
  });

  it("is returned unchanged without `toError`", async () => {
    const { baseUrl } = await httpServer((_request, response) => {
      response.writeHead(500).end("failed");
    });
    expect(await transportTo(baseUrl).request(PROBE)).toMatchObject({
      status: 500,
      body: "failed",
      attempts: 1,
    });
  });

  it.each([408, 429, 502, 503, 504])(
    "of %i is retried without `toError`, and the last one is returned",
    async (status) => {
      let count = 0;
      const { baseUrl } = await httpServer((request, response) => {
        count += 1;
        response.statusCode = request.url === "/once" && count > 1 ? 200 : status;
        response.end(String(count));
      });
      const transport = transportTo(baseUrl, { circuit: { failures: 100 } });
      expect(await transport.request({ ...PROBE, path: "/once" })).toMatchObject({
        status: 200,
        body: "2",
        attempts: 2,
      });
      expect(await transport.request(PROBE)).toMatchObject({ status, body: "6", attempts: 4 });
      const once = { ...PROBE, retry: false };
      expect(await transport.request(once)).toMatchObject({ status, body: "7", attempts: 1 });
    },
  );

  it("is retried after its Retry-After, without `toError`", async () => {
    const at: number[] = [];
    const { baseUrl } = await httpServer((_request, response) => {
      at.push(performance.now());
      if (at.length === 1) response.writeHead(503, { "Retry-After": "0.05" }).end();
      else response.end("ok");
    });
    expect(await transportTo(baseUrl).request(PROBE)).toMatchObject({ status: 200, attempts: 2 });
    const [first = 0, second = 0] = at;
    expect(second - first).toBeGreaterThanOrEqual(45);
  });

  it("is logged with its body only at trace, as it may quote the prompt", async () => {
    const lines: { level: string; text: string }[] = [];
    const at = (level: string) => (fields: object) =>
      void lines.push({ level, text: JSON.stringify(fields) });
    const log = {
      trace: at("trace"),
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
    };
    const { baseUrl } = await httpServer((_request, response) => {
      response.writeHead(400).end("you said: Ada");
    });
    const toError = ({ body }: HttpFailure) =>
      new FoundryError("INVALID_REQUEST", "refused", { action: "none", detail: body });
    const asked = transportTo(baseUrl, { log }).request(get("/", { toError }));
    await expect(asked).rejects.toMatchObject({ code: "INVALID_REQUEST" });
    const telling = lines.filter(({ text }) => text.includes("Ada")).map(({ level }) => level);
    expect([...new Set(telling)]).toEqual(["trace"]);
    expect(lines).toContainEqual({
      level: "debug",
      text: expect.stringContaining("INVALID_REQUEST"),
    });
  });

  it("counts for the circuit by its status, even if its body is endless or breaks off", async () => {
    const { baseUrl, sockets } = await httpServer((request, response) => {
      response.writeHead(400, { "Content-Type": "text/plain" });
      response.write("what went wrong");
      if (request.url === "/broken") setTimeout(() => request.socket.resetAndDestroy(), 20);
      else setInterval(() => response.write("x".repeat(50_000)), 1).unref();
    });
    for (const path of ["/broken", "/endless"]) {
      await expect(transportTo(baseUrl).request(get(path))).rejects.toMatchObject({
        code: "SERVICE_ERROR",
        message: expect.stringContaining("400: what went wrong"),
      });
      await expect.poll(() => sockets.size).toBe(0);
    }
  });
});

describe("retries", () => {
  /** A server that answers these statuses in turn, and then 200 with the number of requests. */
  async function answering(...statuses: number[]) {
    let count = 0;
    return httpServer((_request, response) => {
      response.statusCode = statuses[count] ?? 200;
      count += 1;
      response.end(String(count));
    });
  }

  it.each([408, 429, 502, 503, 504, 500])(
    "follow a GET and a POST answered with %i",
    async (status) => {
      for (const spec of [get(), post()]) {
        const { baseUrl } = await answering(status, status);
        expect(await transportTo(baseUrl).request(spec)).toMatchObject({ body: "3", attempts: 3 });
      }
    },
  );

  it.each([400, 401, 404, 422, 501])("do not follow an answer with %i", async (status) => {
    const { baseUrl } = await answering(status);
    const transport = transportTo(baseUrl);
    await expect(transport.request(get())).rejects.toMatchObject({ status, attempts: 1 });
    expect((await transport.request(get())).body).toBe("2");
  });

  it("do not follow a POST answered with a 500 that the caller caused", async () => {
    const { baseUrl } = await answering(500);
    const toError = () => new FoundryError("CONTEXT_LENGTH_EXCEEDED", "full", { action: "cut" });
    await expect(transportTo(baseUrl).request(post("/", { toError }))).rejects.toMatchObject({
      code: "CONTEXT_LENGTH_EXCEEDED",
      attempts: 1,
    });
  });

  it("follow a refused connection, until something listens", async () => {
    const port = await deadPort();
    const transport = transportTo(`http://127.0.0.1:${port}`, {
      retry: { retries: 1000, initialPauseMs: 20, maxPauseMs: 20 },
      circuit: { failures: 10_000 },
    });
    const answer = transport.request(post());
    await new Promise((resolve) => setTimeout(resolve, 60));
    await httpServer((_request, response) => response.end("back"), port);
    const { body, attempts } = await answer;
    expect(body).toBe("back");
    expect(attempts).toBeGreaterThan(1);
  });

  it("end with the number of attempts when nothing ever listens", async () => {
    const baseUrl = `http://127.0.0.1:${await deadPort()}`;
    await expect(transportTo(baseUrl).request(get())).rejects.toMatchObject({
      code: "SERVICE_UNREACHABLE",
      message: `Nothing listens at ${baseUrl}.`,
      retryable: true,
      attempts: 4,
    });
  });

  it.each([
    ["reset", (socket: Socket) => socket.resetAndDestroy()],
    ["closed", (socket: Socket) => socket.end()],
  ])("follow a connection %s before any byte", async (_how, drop) => {
    let count = 0;
    const { baseUrl } = await tcpServer((socket) => {
      socket.once("data", () => {
        count += 1;
        if (count < 3) drop(socket);
        else socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      });
    });
    expect(await transportTo(baseUrl).request(post())).toMatchObject({ body: "ok", attempts: 3 });
  });

  it("follow a request on a keep-alive connection that the service had closed", async () => {
    let connections = 0;
    const { baseUrl } = await tcpServer((socket) => {
      connections += 1;
      const isFirst = connections === 1;
      let requests = 0;
      socket.on("data", () => {
        requests += 1;
        if (isFirst && requests === 2) socket.resetAndDestroy();
        else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      });
    });
    const transport = transportTo(baseUrl);
    expect(await transport.request(post())).toMatchObject({ attempts: 1 });
    expect(await transport.request(post())).toMatchObject({ body: "ok", attempts: 2 });
    expect(connections).toBe(2);
  });

  it("follow a GET whose answer broke off, and not a POST", async () => {
    const half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    const transport = transportTo((await raw(half)).baseUrl);
    await expect(transport.request(get())).rejects.toMatchObject({
      code: "SERVICE_UNREACHABLE",
      message: expect.stringContaining("broke off in the middle of its answer"),
      attempts: 4,
    });
    await expect(transport.request(post())).rejects.toMatchObject({ attempts: 1 });
  });

  it("are not made with `retry: false`, which also bypasses the circuit", async () => {
    const transport = transportTo(`http://127.0.0.1:${await deadPort()}`, {
      circuit: { failures: 1, probeAfterMs: 60_000 },
    });
    const once = get("/", { retry: false });
    await expect(transport.request(once)).rejects.toMatchObject({ attempts: 1 });
    expect(transport.circuit.state).toBe("closed");
    await expect(transport.request(get())).rejects.toMatchObject({ code: "SERVICE_UNREACHABLE" });
    expect(transport.circuit.state).toBe("open");
    await expect(transport.request(get())).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
    await expect(transport.request(once)).rejects.toMatchObject({ code: "SERVICE_UNREACHABLE" });
  });

  it.each([429, 503])(
    "are not made where a %i requests a longer pause than their maximum",
    async (status) => {
      let count = 0;
      const { baseUrl } = await httpServer((_request, response) => {
        count += 1;
        response.writeHead(status, { "Retry-After": "3600" }).end();
      });
      const toError = ({ retryAfterMs }: HttpFailure) =>
        new FoundryError("SERVICE_BUSY", "busy", {
          action: "none",
          retryable: true,
          ...(retryAfterMs === null ? {} : { retryAfterMs }),
        });
      const asked = transportTo(baseUrl).request(post("/", { toError }));
      await expect(asked).rejects.toMatchObject({ attempts: 1, retryAfterMs: 3_600_000 });
      expect(count).toBe(1);
    },
  );
});

describe("the circuit of an endpoint", () => {
  it("opens while nothing listens and closes with the first answer after that", async () => {
    const port = await deadPort();
    const transport = transportTo(`http://127.0.0.1:${port}`, {
      retry: { retries: 0 },
      circuit: { failures: 2, probeAfterMs: 2000 },
    });
    const refused = { code: "SERVICE_UNREACHABLE" };
    await expect(transport.request(get())).rejects.toMatchObject(refused);
    await expect(transport.request(get())).rejects.toMatchObject(refused);
    expect(transport.circuit).toMatchObject({ state: "open", nextProbeInMs: expect.any(Number) });
    await expect(transport.request(get())).rejects.toMatchObject({
      code: "CIRCUIT_OPEN",
      attempts: 0,
    });
    await httpServer((_request, response) => response.end("back"), port);
    await vi.waitFor(
      async () => expect((await transport.request(get())).body).toBe("back"),
      20_000,
    );
    expect(transport.circuit).toEqual({ state: "closed", nextProbeInMs: null });
  });

  it("reports the failure itself to the call during which it opens", async () => {
    const transport = transportTo(`http://127.0.0.1:${await deadPort()}`, {
      circuit: { failures: 2, probeAfterMs: 60_000 },
    });
    await expect(transport.request(get())).rejects.toMatchObject({
      code: "SERVICE_UNREACHABLE",
      attempts: 2,
    });
  });
});

describe("the head of a request", () => {
  /** A service that reports the number of bytes before the body. */
  function measuring() {
    return tcpServer((socket) => {
      let received = "";
      socket.setEncoding("latin1").on("data", (chunk) => {
        received += chunk;
        const end = received.indexOf("\r\n\r\n");
        if (end < 0) return;
        const answer = String(end + 4);
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`);
      });
    });
  }

  it.each([
    ["a GET", get],
    ["a POST", post],
    ["a POST without a body", () => post("/", { body: undefined })],
  ])("of %s may have 4096 bytes on the wire and not one more", async (_kind, make) => {
    const { baseUrl } = await measuring();
    const send = (padding: number) =>
      transportTo(`${baseUrl}/base`, {
        headers: { Authorization: `Bearer ${"k".repeat(padding)}`, "X-Name": "Müller" },
      }).request({ ...make(), headLimitBytes: 4096 });
    const short = Number((await send(1)).body);
    const fits = 4096 - short + 1;
    expect((await send(fits)).body).toBe("4096");
    await expect(send(fits + 1)).rejects.toMatchObject({
      code: "REQUEST_TOO_LARGE",
      message: "The request line and headers take 4097 bytes; the service reads 4096.",
      action: expect.stringContaining("API key"),
    });
  });

  it("is not sent when it is too long", async () => {
    const onRequest = vi.fn();
    const { baseUrl } = await httpServer(onRequest);
    await expect(
      transportTo(baseUrl).request(get("/", { headLimitBytes: 10 })),
    ).rejects.toMatchObject({ code: "REQUEST_TOO_LARGE" });
    expect(onRequest).not.toHaveBeenCalled();
  });
});

describe("an address without an HTTP service", () => {
  it("is reported when the server speaks another protocol", async () => {
    const { baseUrl } = await raw("SSH-2.0-OpenSSH_9.6\r\n");
    await expect(transportTo(baseUrl).request(get())).rejects.toMatchObject({
      code: "INVALID_RESPONSE",
      retryable: false,
      attempts: 1,
    });
  });

  it("is reported when the server speaks http instead of https", async () => {
    const { port } = await httpServer((_request, response) => response.end());
    await expect(transportTo(`https://127.0.0.1:${port}`).request(get())).rejects.toMatchObject({
      code: "SERVICE_UNREACHABLE",
      message: expect.stringContaining("does not speak TLS"),
      attempts: 1,
      neverSent: false,
    });
  });

  it("is reported when it ends each connection before TLS is established", async () => {
    const { port } = await tcpServer((socket) => socket.end());
    await expect(transportTo(`https://127.0.0.1:${port}`).request(get())).rejects.toMatchObject({
      code: "SERVICE_UNREACHABLE",
      detail: expect.stringContaining("before secure TLS connection was established"),
      neverSent: true,
    });
  });

  it("is reported when it ends each connection after the request", async () => {
    const { baseUrl } = await tcpServer((socket) => socket.once("data", () => socket.end()));
    await expect(transportTo(baseUrl).request(get())).rejects.toMatchObject({
      code: "SERVICE_UNREACHABLE",
      neverSent: false,
    });
  });

  it("is reported when its host does not exist", async () => {
    const transport = transportTo("http://no-such-host.invalid:1");
    await expect(transport.request(get("/", { retry: false }))).rejects.toMatchObject({
      code: "SERVICE_UNREACHABLE",
      message: expect.stringContaining("http://no-such-host.invalid:1"),
      // A batch may send it later.
      neverSent: true,
    });
  });
});

describe("options of the transport", () => {
  it("that are invalid are refused by the constructor", () => {
    const make = (options: { baseUrl?: string; headers?: Record<string, string> }) => () =>
      new HttpTransport({ baseUrl: "http://127.0.0.1:1", ...options });
    const refused = expect.objectContaining({ code: "INVALID_SETTING" });
    expect(make({ baseUrl: "127.0.0.1" })).toThrowError(refused);
    expect(make({ headers: { Authorization: "Bearer a\nb" } })).toThrowError(refused);
    expect(make({})).not.toThrow();
  });

  it("may contain a base URL with a slash at its end, which is ignored", () => {
    expect(transportTo("http://127.0.0.1:1/v1/").baseUrl).toBe("http://127.0.0.1:1/v1");
  });
});

describe("the log", () => {
  it("has a line for each attempt, bodies only at trace, and no header values", async () => {
    const lines: { level: string; text: string }[] = [];
    const log = { ...silentLogger };
    for (const level of ["trace", "debug", "info", "warn", "error"] as const) {
      log[level] = (fields: object, message: string) => {
        lines.push({ level, text: `${message} ${JSON.stringify(fields)}` });
      };
    }
    let count = 0;
    const { baseUrl } = await httpServer(async (request, response) => {
      await bodyOf(request);
      count += 1;
      response.statusCode = count === 1 ? 503 : 200;
      response.end("the answer");
    });
    const headers = { Authorization: "Bearer s3cret" };
    await transportTo(baseUrl, { headers, log }).request(post("/x", { body: "the question" }));
    const debug = lines.filter(({ level }) => level === "debug").map(({ text }) => text);
    expect(debug).toEqual([
      expect.stringMatching(
        /^attempt failed .*"method":"POST","path":"\/x","attempt":1,"status":503,"ms":\d+/,
      ),
      expect.stringMatching(/^answered .*"attempt":2,"status":200/),
    ]);
    expect(lines.filter(({ text }) => text.includes("s3cret"))).toEqual([]);
    const above = lines.filter(({ level }) => level !== "trace");
    expect(above.filter(({ text }) => text.includes("the question"))).toEqual([]);
    expect(lines.some(({ text }) => text.includes("the question"))).toBe(true);
  });
});

describe("a connection", () => {
  it("that is idle does not keep the process alive, nor does anything after close()", async () => {
    const { baseUrl, sockets } = await httpServer((_request, response) => response.end("x"));
    const transport = transportTo(baseUrl);
    await transport.request(get());
    const [socket] = sockets;
    const closed = socket === undefined ? null : once(socket, "close");
    await transport.close();
    await closed;
    expect(sockets.size).toBe(0);
  });
});
