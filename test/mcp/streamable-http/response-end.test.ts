import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { connect } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { endOfResponse } from "../../../src/mcp/streamable-http/responses.js";

const REQUEST = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/** A server, and a connection to it on which many requests are sent at once. */
async function connected(handle: (incoming: IncomingMessage, outgoing: ServerResponse) => void) {
  const server = createServer(handle).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const client = connect(port, "127.0.0.1");
  onTestFinished(() => void client.destroy());
  return client;
}

it("resolves for the responses behind another one when their connection ends", async () => {
  const ends: Promise<void>[] = [];
  const client = await connected((incoming, outgoing) => {
    ends.push(endOfResponse({ incoming, outgoing }));
    if (ends.length === 1) outgoing.write("The first one stays open.");
    else outgoing.end();
  });
  client.write(REQUEST.repeat(3));
  await expect.poll(() => ends.length).toBe(3);
  client.destroy();
  await Promise.all(ends);
});

it("leaves no listener on a connection that goes on", async () => {
  const sockets: Socket[] = [];
  const ends: Promise<void>[] = [];
  const client = await connected((incoming, outgoing) => {
    sockets.push(incoming.socket);
    const before = incoming.socket.listenerCount("close");
    ends.push(
      endOfResponse({ incoming, outgoing }).then(() => {
        expect(incoming.socket.listenerCount("close")).toBeLessThanOrEqual(before);
      }),
    );
    outgoing.end();
  });
  client.write(REQUEST);
  await expect.poll(() => ends.length).toBe(1);
  await Promise.all(ends);
  expect(sockets[0]?.destroyed).toBe(false);
});
