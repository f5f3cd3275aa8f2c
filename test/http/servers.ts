import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { HttpTransport } from "../../src/http/index.js";
import type {
  EventStream,
  HttpFailure,
  ReadEvent,
  StreamEvent,
  StreamSpec,
  TransportOptions,
} from "../../src/http/types.js";
import { FoundryError } from "../../src/lib/errors.js";
import { ownPort } from "../ports.js";

/** A server that ends with the test. */
export interface TestServer {
  readonly baseUrl: string;
  readonly port: number;
  /** The connections that are open now. */
  readonly sockets: ReadonlySet<Socket>;
  /** Ends it, and resets open connections. */
  stop(): Promise<void>;
}

export async function httpServer(onRequest: RequestListener, port?: number): Promise<TestServer> {
  return started(createServer(onRequest), port ?? (await ownPort()));
}

export async function tcpServer(onSocket: (socket: Socket) => void): Promise<TestServer> {
  return started(createTcpServer(onSocket), await ownPort());
}

async function started(
  server: ReturnType<typeof createTcpServer>,
  port: number,
): Promise<TestServer> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const stop = async () => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.resetAndDestroy();
    await closed;
  };
  onTestFinished(stop);
  const address = portOf(server.address());
  return { baseUrl: `http://127.0.0.1:${address}`, port: address, sockets, stop };
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new Error("not a TCP server");
  return address.port;
}

/** A transport of the test, closed when the test is over. Retries without a pause. */
export function transportTo(baseUrl: string, options: Partial<TransportOptions> = {}) {
  const transport = new HttpTransport({ baseUrl, retry: { initialPauseMs: 0 }, ...options });
  onTestFinished(() => transport.close());
  return transport;
}

/** The error of an answer that is not 2xx, for tests that are about something else. */
export function refused({ status, message }: HttpFailure): FoundryError {
  return new FoundryError("SERVICE_ERROR", `${status}: ${message}`, {
    action: "none",
    retryable: true,
    status,
  });
}

/** Reads events as they are; `isPart` says which bring a part of the answer. */
export const events =
  (isPart: (event: StreamEvent) => boolean) =>
  (event: StreamEvent): ReadEvent<StreamEvent> => ({ item: event, isPart: isPart(event) });

type Spec = Omit<StreamSpec<StreamEvent>, "read">;

export const get = (path = "/", more: Partial<Spec> = {}): Spec => ({
  method: "GET",
  path,
  limits: {},
  toError: refused,
  ...more,
});

export const post = (path = "/", more: Partial<Spec> = {}): Spec => ({
  method: "POST",
  path,
  body: { n: 1 },
  limits: {},
  toError: refused,
  ...more,
});

const streamWhere =
  (isPart: (event: StreamEvent) => boolean) =>
  (more: Partial<StreamSpec<StreamEvent>> = {}): StreamSpec<StreamEvent> => ({
    ...post(),
    read: events(isPart),
    ...more,
  });

/** A stream whose events all bring a part of the answer. */
export const streamOf = streamWhere(() => true);
/** Only those with the word token do. */
export const tokenStreamOf = streamWhere(({ data }) => data.includes("token"));

export async function dataOf(stream: EventStream<StreamEvent>): Promise<string[]> {
  const all: string[] = [];
  for await (const { data } of stream) all.push(data);
  return all;
}

export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: string[] = [];
  for await (const chunk of request.setEncoding("utf8")) chunks.push(String(chunk));
  return chunks.join("");
}

/** A promise and a function that fulfils it, as a signal from the server. */
export function signalled(): { readonly promise: Promise<void>; readonly fire: () => void } {
  let fire: () => void = () => {};
  const promise = new Promise<void>((resolve) => {
    fire = resolve;
  });
  return { promise, fire };
}
