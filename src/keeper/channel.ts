import type { Socket } from "node:net";
import { jsonFrom, LONGEST_LINE, MOST_UNREAD_BYTES } from "../lib/index.js";

/** Bytes of a message before the other side has proven that it is this user's. */
const LONGEST_GREETING = 4096;

/**
 * Messages over a local socket: a JSON text for each, one on a line. A line that is too long, or is no
 * JSON, ends the connection.
 */
export class Channel {
  readonly #socket: Socket;
  readonly #onMessage: (message: unknown) => void;
  #pieces: string[] = [];
  #length = 0;
  #longest = LONGEST_GREETING;
  /** Resolves when the connection has ended. */
  readonly closed: Promise<void>;

  constructor(socket: Socket, onMessage: (message: unknown) => void) {
    this.#socket = socket;
    this.#onMessage = onMessage;
    socket.setEncoding("utf8").on("data", (text: string) => this.#read(text));
    // The event `close` follows.
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
  }

  get isClosed(): boolean {
    return this.#socket.destroyed;
  }

  /** The other side is this user's: its messages may be long. */
  trust(): void {
    this.#longest = LONGEST_LINE;
  }

  send(message: object): void {
    if (this.#socket.destroyed) return;
    this.#socket.write(`${JSON.stringify(message)}\n`);
    // Each message is bounded, and a process that reads none of them must not fill the memory.
    if (this.#socket.writableLength > MOST_UNREAD_BYTES) this.close();
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Ends the connection after what has been sent. */
  end(): void {
    this.#socket.end();
  }

  #read(text: string): void {
    const lines = text.split("\n");
    const rest = lines.pop() ?? "";
    for (const line of lines) {
      const message = jsonFrom([...this.#pieces, line].join(""));
      this.#pieces = [];
      this.#length = 0;
      if (message === undefined) this.close();
      else this.#onMessage(message);
      if (this.#socket.destroyed) return;
    }
    if (rest !== "") this.#pieces.push(rest);
    this.#length += rest.length;
    if (this.#length > this.#longest) this.close();
  }
}
