import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Headers } from "./http.js";

/** Writes one answer to a socket, byte by byte as the service does. */
export class Wire {
  #chunkEnd = "";

  constructor(
    private readonly socket: Socket,
    private readonly lateChunkEnd: boolean,
  ) {}

  /** Bytes that the client has not read yet. */
  get pendingBytes(): number {
    return this.socket.writableLength;
  }

  /** Whether a write can still reach the client. */
  get isOpen(): boolean {
    return !this.socket.destroyed && this.socket.writable;
  }

  head(status: number, headers: Headers): void {
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    this.raw(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Unknown"}\r\n${lines}\r\n`);
  }

  chunk(bytes: Buffer): void {
    const size = `${this.#chunkEnd}${bytes.length.toString(16).toUpperCase()}\r\n`;
    this.#chunkEnd = this.lateChunkEnd ? "\r\n" : "";
    const end = this.lateChunkEnd ? "" : "\r\n";
    this.raw(Buffer.concat([Buffer.from(size), bytes, Buffer.from(end)]));
  }

  lastChunk(): void {
    this.raw(`${this.#chunkEnd}0\r\n\r\n`);
  }

  raw(bytes: string | Buffer): void {
    if (this.isOpen) this.socket.write(bytes);
  }

  /** RST: bytes that the client has not read may be lost. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** FIN, after everything that was written. */
  close(): void {
    this.socket.end();
  }
}
