import { describe, expect, it } from "vitest";
import { FoundryError } from "../../src/lib/errors.js";
import { httpServer, post, refused, signalled, tcpServer, transportTo } from "./servers.js";

async function piecesOf(stream: AsyncIterable<string>): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}

describe("a streamed text", () => {
  it("is passed on as it arrives, before its end", async () => {
    const more = signalled();
    const { baseUrl } = await httpServer(async (_request, response) => {
      response.write("10 %\n");
      await more.promise;
      response.end("100 %\n");
    });
    const stream = await transportTo(baseUrl).text(post());
    const pieces: string[] = [];
    for await (const piece of stream) {
      pieces.push(piece);
      more.fire();
    }
    expect(pieces).toEqual(["10 %\n", "100 %\n"]);
  });

  it("is never cut within a character", async () => {
    const bytes = Buffer.from("modèle 🦊");
    const { baseUrl } = await httpServer(async (_request, response) => {
      for (const byte of bytes) {
        response.write(Buffer.of(byte));
        await new Promise(setImmediate);
      }
      response.end();
    });
    const pieces = await piecesOf(await transportTo(baseUrl).text(post()));
    expect(pieces.join("")).toBe("modèle 🦊");
  });

  it("may be longer than the limit of a body", async () => {
    const { baseUrl } = await httpServer((_request, response) => response.end("x".repeat(5000)));
    const transport = transportTo(baseUrl);
    const pieces = await piecesOf(await transport.text(post("/", { maxBodyBytes: 1000 })));
    expect(pieces.join("")).toHaveLength(5000);
  });

  it("that breaks off fails after the received text", async () => {
    const { baseUrl } = await tcpServer((socket) => {
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        setImmediate(() => socket.end());
      });
    });
    const stream = await transportTo(baseUrl).text(post());
    const pieces: string[] = [];
    const reading = (async () => {
      for await (const piece of stream) pieces.push(piece);
    })();
    await expect(reading).rejects.toMatchObject({ code: "SERVICE_UNREACHABLE" });
    expect(pieces).toEqual(["abc"]);
  });

  it("that stalls is aborted after the stall limit", async () => {
    const { baseUrl } = await httpServer((_request, response) => response.write("10 %\n"));
    const stream = await transportTo(baseUrl).text(post("/", { limits: { silenceMs: 1000 } }));
    await expect(piecesOf(stream)).rejects.toMatchObject({ code: "TIMEOUT", phase: "silence" });
  });

  it("ends at once when its caller aborts", async () => {
    const caller = new AbortController();
    const { baseUrl } = await httpServer((_request, response) => response.write("10 %\n"));
    const stream = await transportTo(baseUrl).text(post("/", { signal: caller.signal }));
    const reading = piecesOf(stream);
    caller.abort();
    await expect(reading).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it("ends with the transport", async () => {
    const { baseUrl } = await httpServer((_request, response) => response.write("10 %\n"));
    const transport = transportTo(baseUrl);
    const reading = piecesOf(await transport.text(post()));
    await transport.close();
    await expect(reading).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
  });

  it("closes the connection when its reader leaves", async () => {
    const left = signalled();
    const { baseUrl } = await httpServer((_request, response) => {
      response.on("close", left.fire);
      response.write("10 %\n");
    });
    for await (const _piece of await transportTo(baseUrl).text(post())) break;
    await left.promise;
  });

  it("is refused with the error of `toError`, after one attempt without retries", async () => {
    let asked = 0;
    const { baseUrl } = await httpServer((_request, response) => {
      asked += 1;
      response.writeHead(503).end("no");
    });
    const refusal = transportTo(baseUrl).text(post("/", { retry: false, toError: refused }));
    await expect(refusal).rejects.toBeInstanceOf(FoundryError);
    await expect(refusal).rejects.toMatchObject({ message: "503: no" });
    expect(asked).toBe(1);
  });

  it("is retried as any other request", async () => {
    let asked = 0;
    const { baseUrl } = await httpServer((_request, response) => {
      asked += 1;
      response.writeHead(asked === 1 ? 503 : 200).end("text");
    });
    const stream = await transportTo(baseUrl).text(post());
    expect(await piecesOf(stream)).toEqual(["text"]);
    expect(asked).toBe(2);
  });
});
