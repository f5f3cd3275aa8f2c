import type { Socket } from "node:net";
import { headerOf, parseHead, type RequestHead } from "./head.js";
import type { HttpProfile } from "./profile.js";
import { SocketReader } from "./socket-reader.js";
import { Wire } from "./wire.js";

/** One request on a connection, and the wire to answer it on. */
export interface Exchange {
  readonly head: RequestHead;
  readonly wire: Wire;
  readonly socket: Socket;
  /** Whether the client wants the connection closed afterwards. */
  readonly closes: boolean;
  /** The body; `null` when the request names none, or ended before it was complete. */
  readonly readBody: () => Promise<Buffer | null>;
}

/**
 * Serves the requests of a connection, one after the other.
 *
 * @param serve answers a request; resolves to whether the connection stays open.
 */
export async function serveConnection(
  socket: Socket,
  profile: HttpProfile,
  serve: (exchange: Exchange) => Promise<boolean>,
): Promise<void> {
  const reader = new SocketReader(socket);
  for (;;) {
    const text = await reader.head(profile.maxHeadBytes);
    if (text === null) break;
    const wire = new Wire(socket, profile.lateChunkEnd);
    if (text === "too long") {
      if (profile.tooLong === "reset") wire.reset();
      else wire.raw("HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n");
      break;
    }
    const head = parseHead(text);
    if (headerOf(head, "expect")?.toLowerCase() === "100-continue") wire.raw(profile.continueLine);
    const closes =
      head.protocol === "HTTP/1.0" || headerOf(head, "connection")?.toLowerCase() === "close";
    const readBody = () => bodyOf(head, reader);
    if (!(await serve({ head, wire, socket, closes, readBody }))) break;
  }
  if (!socket.destroyed) socket.end();
}

function bodyOf(head: RequestHead, reader: SocketReader): Promise<Buffer | null> {
  if (headerOf(head, "transfer-encoding")?.toLowerCase() === "chunked") return reader.chunked();
  const length = headerOf(head, "content-length");
  return length === null ? Promise.resolve(null) : reader.bytes(Number.parseInt(length, 10));
}
