import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Writes to a client in place of the upstream. */
export type Instead = (client: Socket) => void;

/** The treatment of the next bytes of an answer: the bytes to send, and how the answer ends there. */
export interface Piece {
  readonly send: Buffer;
  readonly then?: "reset" | "end" | "silence";
  /** Whether each byte is a write of its own. */
  readonly bytewise?: boolean;
}

/** Gets the bytes of one answer as they arrive, including its head. */
export type Through = (chunk: Buffer) => Piece;

export interface Fault {
  readonly name: string;
  /** The request does not reach the upstream. */
  readonly instead?: Instead;
  /** The request reaches the upstream; its answer is passed through this function, which is called once for each answer. */
  readonly through?: () => Through;
  /** The request reaches the upstream; its answer is delayed by this time. */
  readonly delayMs?: number;
  /** The effect on the proxy itself when the fault is armed. */
  readonly proxy?: (proxy: FaultProxy) => Promise<void>;
}

export interface Request {
  readonly method: string;
  readonly path: string;
}

/** Which requests have the fault. */
export type Matches = (request: Request) => boolean;

/** A TCP proxy in front of an HTTP service. The faults are armed for some requests, or taken in turn. */
export class FaultProxy {
  readonly #upstreamPort: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #next: (request: Request) => Fault | null = () => null;
  #port = 0;
  /** Called with the new address when it has moved. */
  onMove: (url: string) => Promise<void> = async () => {};
  /** All requests that arrived. */
  readonly requests: Request[] = [];

  private constructor(upstreamPort: number) {
    this.#upstreamPort = upstreamPort;
    this.#server = createServer((client) => this.#serve(client));
  }

  static async start(upstream: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(Number(new URL(upstream).port));
    await proxy.#listen();
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** From now on, the requests that match have the fault. */
  async arm(fault: Fault, matches: Matches = () => true): Promise<void> {
    this.#next = (request) => (matches(request) ? fault : null);
    await fault.proxy?.(this);
  }

  /** From now on, `next` chooses the fault of each request. */
  schedule(next: (request: Request) => Fault | null): void {
    this.#next = next;
  }

  /** Nothing listens at its port from now on, and all connections are reset. */
  async refuse(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  /** Closes all connections, in order, and waits until the client has closed them, too. */
  async closeIdle(): Promise<void> {
    // Not `once`, which rejects for a socket that breaks.
    const closed = [...this.#sockets].map(
      (socket) => new Promise<void>((resolve) => socket.once("close", () => resolve())),
    );
    for (const socket of this.#sockets) socket.end();
    await Promise.all(closed);
  }

  /** Listens at another port; nothing listens at the one before. */
  async move(): Promise<void> {
    const before = this.#port;
    await this.refuse();
    await this.#listen();
    if (this.#port === before) return this.move();
    await this.onMove(this.url);
  }

  async close(): Promise<void> {
    await this.refuse();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    if (address !== null && typeof address === "object") this.#port = address.port;
  }

  #serve(client: Socket): void {
    const upstream = connect(this.#upstreamPort, "127.0.0.1");
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.end();
      });
    }
    let through: Through | null = null;
    let isInstead = false;
    const reader = new RequestReader((request) => {
      this.requests.push(request);
      const fault = this.#next(request);
      isInstead = fault?.instead !== undefined;
      through = fault?.through?.() ?? null;
      if (fault?.delayMs !== undefined) {
        upstream.pause();
        setTimeout(() => upstream.resume(), fault.delayMs);
      }
      fault?.instead?.(client);
      return !isInstead;
    });
    client.on("data", (chunk) => {
      // A request after the end of the connection has no answer; the client sends it again.
      if (client.writableEnded) return;
      if (reader.read(chunk)) upstream.write(chunk);
    });
    upstream.on("data", (chunk) => {
      if (isInstead) return;
      const { send, then, bytewise = false }: Piece = through?.(chunk) ?? { send: chunk };
      if (then === undefined) {
        if (!bytewise) client.write(send);
        else for (const byte of send) client.write(Buffer.of(byte));
        return;
      }
      isInstead = true;
      // The written bytes must arrive before the end.
      client.write(send, () => {
        if (then === "reset") setTimeout(() => client.resetAndDestroy(), 20);
        if (then === "end") client.end();
      });
    });
    upstream.on("end", () => {
      if (!isInstead) client.end();
    });
  }
}

/** Finds the requests in what a client sends. This client sends one after the other, each with a length. */
class RequestReader {
  readonly #onRequest: (request: Request) => boolean;
  #head = "";
  #bodyLeft = 0;
  #passes = true;

  /** @param onRequest Returns whether the request goes to the upstream. */
  constructor(onRequest: (request: Request) => boolean) {
    this.#onRequest = onRequest;
  }

  /** Whether the chunk goes to the upstream. */
  read(chunk: Buffer): boolean {
    if (this.#bodyLeft > 0) {
      this.#bodyLeft -= chunk.length;
      return this.#passes;
    }
    this.#head += chunk.toString("latin1");
    const end = this.#head.indexOf("\r\n\r\n");
    // The head of a request is one write of the client.
    if (end < 0) return true;
    const [line = ""] = this.#head.split("\r\n");
    const [method = "", path = ""] = line.split(" ");
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(this.#head.slice(0, end))?.[1] ?? 0);
    this.#bodyLeft = length - (this.#head.length - end - 4);
    this.#head = "";
    this.#passes = this.#onRequest({ method, path });
    return this.#passes;
  }
}
