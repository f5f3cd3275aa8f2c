import type { Socket } from "node:net";
import { type HttpProfile, headerOf, parseHead, type RequestHead } from "./http.js";
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

/** Reads a socket like a thread with blocking reads. */
class SocketReader {
  #buffer: Buffer = Buffer.alloc(0);
  #ended = false;
  #wake = () => {};

  constructor(socket: Socket) {
    socket.on("data", (bytes: Buffer) => {
      this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes]);
      this.#wake();
    });
    const end = () => {
      this.#ended = true;
      this.#wake();
    };
    socket.on("end", end);
    socket.on("close", end);
  }

  /**
   * A request line and headers with the blank line that ends them. `null` when the client ended
   * before, `"too long"` when `maxBytes` came without an end.
   */
  async head(maxBytes: number): Promise<string | "too long" | null> {
    for (;;) {
      const text = this.#upTo("\r\n\r\n", maxBytes);
      if (text !== null) return text;
      if (this.#buffer.length >= maxBytes) return "too long";
      if (this.#ended) return null;
      await this.#more();
    }
  }

  /** Exactly so many bytes; waits until they have come. `null` when the client ended before. */
  async bytes(count: number): Promise<Buffer | null> {
    while (this.#buffer.length < count) {
      if (this.#ended) return null;
      await this.#more();
    }
    return this.#take(count);
  }

  /** A chunked body without its framing. `null` when the client ended before. */
  async chunked(): Promise<Buffer | null> {
    const parts: Buffer[] = [];
    for (;;) {
      const line = await this.#line();
      const size = line === null ? Number.NaN : Number.parseInt(line, 16);
      if (Number.isNaN(size)) return null;
      const part = await this.bytes(size + 2);
      if (part === null) return null;
      if (size === 0) return Buffer.concat(parts);
      parts.push(part.subarray(0, size));
    }
  }

  async #line(): Promise<string | null> {
    for (;;) {
      const text = this.#upTo("\r\n");
      if (text !== null || this.#ended) return text;
      await this.#more();
    }
  }

  /** Takes what comes before a mark, and the mark; `null` while the mark is not in the first `maxBytes`. */
  #upTo(mark: string, maxBytes = Infinity): string | null {
    const end = this.#buffer.subarray(0, maxBytes).indexOf(mark);
    return end < 0 ? null : this.#take(end + mark.length).toString("latin1", 0, end);
  }

  #take(count: number): Buffer {
    const taken = this.#buffer.subarray(0, count);
    this.#buffer = this.#buffer.subarray(count);
    return taken;
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
