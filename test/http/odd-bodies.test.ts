import { brotliCompressSync, createGzip, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { dataOf, get, httpServer, signalled, streamOf, tcpServer, transportTo } from "./servers.js";

const STREAM = 'data: {"a":"Grüße"}\n\n: ping\n\ndata: {"b":2}\n\ndata: [DONE]\n\n';
const EVENTS = ['{"a":"Grüße"}', '{"b":2}', "[DONE]"];

/** A server whose answer comes in pieces of this size, each in a packet of its own. */
function inPieces(headers: Record<string, string>, body: Uint8Array, size: number) {
  return httpServer(async (_request, response) => {
    response.writeHead(200, headers);
    response.flushHeaders();
    for (let at = 0; at < body.length; at += size) {
      await new Promise<void>((resolve) =>
        response.write(body.subarray(at, at + size), () => setImmediate(resolve)),
      );
    }
    response.end();
  });
}

describe("the body of a stream", () => {
  it.each([
    ["no type", {}],
    ["application/json", { "Content-Type": "application/json" }],
    ["text/plain", { "Content-Type": "text/plain; charset=utf-8" }],
    ["application/x-ndjson", { "Content-Type": "application/x-ndjson" }],
    ["text/html", { "Content-Type": "text/html" }],
    ["application/octet-stream", { "Content-Type": "application/octet-stream" }],
  ])("is read unchanged under %s", async (_what, headers) => {
    const { baseUrl } = await inPieces(headers, Buffer.from(STREAM), 7);
    expect(await dataOf(await transportTo(baseUrl).stream(streamOf()))).toEqual(EVENTS);
  });

  it("passes text in place of a stream to the caller", async () => {
    const { baseUrl } = await inPieces({ "Content-Type": "text/plain" }, Buffer.from("hello\n"), 3);
    expect(await dataOf(await transportTo(baseUrl).stream(streamOf()))).toEqual(["hello"]);
  });
});

const ENCODINGS: readonly (readonly [string, string, (body: string) => Uint8Array])[] = [
  ["gzip", "gzip", gzipSync],
  ["gzip under another name", "x-gzip", gzipSync],
  ["gzip that no header names", "", gzipSync],
  ["deflate", "deflate", deflateSync],
  ["deflate without its header", "deflate", deflateRawSync],
  ["brotli", "br", brotliCompressSync],
  ["a header alone", "gzip", (body) => Buffer.from(body)],
  ["a header of deflate alone", "deflate", (body) => Buffer.from(body)],
  ["a header of brotli alone", "br", (body) => Buffer.from(body)],
  ["a header that says nothing", "identity", (body) => Buffer.from(body)],
];

describe("compression that was not requested", () => {
  it.each(ENCODINGS)("is decoded for a stream: %s", async (_what, encoding, compress) => {
    const headers = { "Content-Type": "text/event-stream", "Content-Encoding": encoding };
    for (const size of [1, 5, 1000]) {
      const { baseUrl } = await inPieces(headers, compress(STREAM), size);
      expect(await dataOf(await transportTo(baseUrl).stream(streamOf()))).toEqual(EVENTS);
    }
  });

  it.each(ENCODINGS)("is decoded for a whole answer: %s", async (_what, encoding, compress) => {
    const headers = { "Content-Type": "application/json", "Content-Encoding": encoding };
    const { baseUrl } = await inPieces(headers, compress('{"data":[]}'), 4);
    const { body } = await transportTo(baseUrl).request(get());
    expect(body).toBe('{"data":[]}');
  });

  it.each(ENCODINGS)(
    "is decoded for the body of an error: %s",
    async (_what, encoding, compress) => {
      const { baseUrl } = await httpServer((_request, response) => {
        response.writeHead(400, { "Content-Encoding": encoding });
        response.end(compress('{"error":{"message":"top_k is bad"}}'));
      });
      const asking = transportTo(baseUrl).request(get());
      await expect(asking).rejects.toMatchObject({ message: "400: top_k is bad" });
    },
  );

  it("does not delay an event until the next one", async () => {
    const more = signalled();
    const { baseUrl } = await httpServer(async (_request, response) => {
      response.writeHead(200, { "Content-Encoding": "gzip", "Content-Type": "text/event-stream" });
      const gzip = createGzip();
      gzip.pipe(response);
      gzip.write("data: 1\n\n");
      gzip.flush();
      await more.promise;
      gzip.end("data: [DONE]\n\n");
    });
    const stream = await transportTo(baseUrl).stream(streamOf());
    more.fire();
    expect(await dataOf(stream)).toEqual(["1", "[DONE]"]);
  });

  it("that is broken is an invalid answer", async () => {
    const body = Buffer.from(gzipSync(STREAM)).fill(0xff, 10);
    const { baseUrl } = await inPieces({ "Content-Encoding": "gzip" }, body, 1000);
    const asking = transportTo(baseUrl).request(get());
    await expect(asking).rejects.toMatchObject({
      code: "INVALID_RESPONSE",
      message: "The answer is compressed and cannot be read.",
    });
  });

  it("that is broken closes the connection, although the body has no end", async () => {
    const { baseUrl, sockets } = await httpServer((_request, response) => {
      response.writeHead(200, {});
      response.write(Buffer.from([0x1f, 0x8b, 1, 2, 3, 4]));
    });
    const asking = transportTo(baseUrl).request({ ...get(), limits: {} });
    await expect(asking).rejects.toMatchObject({ code: "INVALID_RESPONSE" });
    await expect.poll(() => sockets.size).toBe(0);
  });

  it("counts towards the limit of a body with its decompressed size", async () => {
    const body = gzipSync("x".repeat(1_000_000));
    const { baseUrl } = await inPieces({ "Content-Encoding": "gzip" }, body, 1e6);
    const asking = transportTo(baseUrl).request(get("/", { maxBodyBytes: 10_000 }));
    await expect(asking).rejects.toMatchObject({ code: "RESPONSE_TOO_LARGE" });
  });

  it("keeps the text before the connection broke off", async () => {
    const { baseUrl } = await httpServer((_request, response) => {
      response.writeHead(200, { "Content-Encoding": "gzip", "Content-Type": "text/event-stream" });
      const body = gzipSync(STREAM);
      response.write(body.subarray(0, body.length - 8), () => {
        setTimeout(() => response.socket?.resetAndDestroy(), 50);
      });
    });
    const stream = await transportTo(baseUrl).stream(streamOf());
    const read: string[] = [];
    const reading = (async () => {
      for await (const { data } of stream) read.push(data);
    })();
    await expect(reading).rejects.toMatchObject({ code: "STREAM_INTERRUPTED" });
    expect(read).toEqual(EVENTS);
  });
});

describe("100 Continue that was not requested", () => {
  const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
  const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
  const ANSWER = `${HEAD}Content-Length: ${Buffer.byteLength(STREAM)}\r\n\r\n${STREAM}`;

  it.each([
    ["in a packet of its own", [CONTINUE, ANSWER]],
    ["with the answer", [CONTINUE + ANSWER]],
    ["twice", [CONTINUE + CONTINUE, ANSWER]],
    ["with a header", ["HTTP/1.1 100 Continue\r\nDate: x\r\n\r\n", ANSWER]],
    ["without its words", ["HTTP/1.1 100\r\n\r\n", ANSWER]],
    ["and another sign of life", [CONTINUE, "HTTP/1.1 102 Processing\r\n\r\n", ANSWER]],
  ])("is ignored: %s", async (_what, packets) => {
    const { baseUrl } = await tcpServer((socket) => {
      socket.on("data", async () => {
        for (const packet of packets) {
          await new Promise<void>((resolve) => socket.write(packet, () => setTimeout(resolve, 20)));
        }
      });
    });
    const transport = transportTo(baseUrl, { retry: { retries: 0 } });
    // The second request uses the same connection.
    for (let call = 0; call < 2; call++) {
      expect(await dataOf(await transport.stream(streamOf()))).toEqual(EVENTS);
    }
  });
});
