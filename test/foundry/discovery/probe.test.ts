import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { DIALECTS } from "foundry-local-simulator";
import { describe, expect, it, onTestFinished } from "vitest";
import { probe, sharedProbe } from "../../../src/foundry/discovery/probe.js";
import { deadUrl, simulate } from "../fixtures.js";

const never = new AbortController().signal;
const ask = (url: string, wholeMs = 5000) => probe(url, { wholeMs, signal: never });

/** A listener with scripted behaviour for its connections. */
async function listener(onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onConnection(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `http://127.0.0.1:${address.port}`;
}

describe("a probe", () => {
  it.each(DIALECTS.filter((dialect) => dialect !== "openai"))("recognises %s", async (dialect) => {
    const { url } = await simulate({ dialect });

    expect(await ask(url)).toMatchObject({ is: "foundry", dialect: { name: dialect } });
  });

  it("distinguishes another engine from Foundry Local", async () => {
    const { url } = await simulate({ dialect: "openai" });

    expect(await ask(url)).toMatchObject({ is: "other", dialect: null });
  });

  it("reports that nothing listens", async () => {
    expect(await ask(await deadUrl())).toMatchObject({
      is: "nothing",
      outcome: "nothing listens there",
    });
  });

  it("does not wait for an address that never answers", async () => {
    const url = await listener(() => {});

    expect(await ask(url, 100)).toMatchObject({
      is: "silent",
      outcome: expect.stringContaining("did not answer within 100 ms"),
    });
  });

  it("does not treat a connection that is not accepted in time as refused", async () => {
    // Use a TLS handshake that never answers, as TCP connections on this machine always succeed at once.
    const url = (await listener(() => {})).replace("http:", "https:");

    expect(await ask(url, 4000)).toMatchObject({ is: "unreached" });
  });

  it("probes an address again for a caller with a longer time limit", async () => {
    let asked = 0;
    const url = await listener((socket) => {
      asked += 1;
      if (asked > 1) socket.destroy();
    });
    const shared = sharedProbe({ signal: never });

    const [short, long, same] = await Promise.all([
      shared(url, 100),
      shared(url, 5000),
      shared(url, 5000),
    ]);

    expect(short.outcome).toContain("within 100 ms");
    expect(long.outcome).toContain("breaks off");
    expect(same).toBe(long);
  });

  it("reports a listener that closes every connection", async () => {
    const url = await listener((socket) => socket.destroy());

    expect(await ask(url)).toMatchObject({ is: "silent" });
  });

  it("reports a listener without HTTP as another program", async () => {
    const url = await listener((socket) => socket.end("220 mail.example.com ready\r\n"));

    expect(await ask(url)).toMatchObject({ is: "other" });
  });

  it("reports a listener that answers only errors", async () => {
    const head = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
    const url = await listener((socket) => socket.on("data", () => socket.write(head)));

    expect(await ask(url)).toMatchObject({ is: "silent" });
  });
});
