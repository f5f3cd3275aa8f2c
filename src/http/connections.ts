import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type buildConnector, Client } from "undici";
import {
  type FoundryError,
  MOST_LONG_REQUESTS,
  MOST_SHORT_REQUESTS,
  timeLimit,
} from "../lib/index.js";

import type { CallScope } from "./call-scope.js";

/** No connection within the limit. Nothing was sent, so it may always be tried again. */
export class ConnectTimeout extends Error {
  constructor(readonly limitMs: number) {
    super(`no connection within ${limitMs} ms`);
  }
}

/** A request in a queue: calls back with its connection when it is its turn. */
type Waiting = (lease: Lease) => void;

/** The requests of one kind: how many are in flight, and which wait, the first first. */
interface Lane {
  readonly most: number;
  inFlight: number;
  readonly waiting: Set<Waiting>;
}

/** A connection that one request has to itself until it is given back or destroyed. */
export interface Lease {
  readonly connection: Connection;
  /** For the next request. */
  giveBack(): void;
  /** Ends the connection in whatever state it is, with its request. */
  destroy(error: FoundryError): void;
}

/**
 * The connections to one endpoint, kept for the next request. Their number is bounded; further
 * requests wait, the first first. Streams and loads last minutes, so they have a bound of their own,
 * and a short question never waits for one of them.
 *
 * Our own in place of undici's `Pool`, because of what that does after an abort: it opens a new
 * connection for the request that was aborted, and cannot end one that is still being opened.
 */
export class Connections {
  readonly #origin: string;
  readonly #connectMs: number;
  /** The last one used is the next one used: it is the least likely to have been dropped. */
  readonly #idle: Connection[] = [];
  readonly #short: Lane = { most: MOST_SHORT_REQUESTS, inFlight: 0, waiting: new Set() };
  readonly #long: Lane = { most: MOST_LONG_REQUESTS, inFlight: 0, waiting: new Set() };
  #isClosed = false;
  /**
   * How often a connection ended that nothing here ended: the endpoint closed it, or it was not used for
   * undici's four seconds. Another server may answer next.
   */
  drops = 0;

  constructor(origin: string, connectMs: number) {
    this.#origin = origin;
    this.#connectMs = connectMs;
  }

  /** A connection as soon as one is free; rejects when the call ends before. */
  async take(isLong: boolean, scope: CallScope): Promise<Lease> {
    scope.throwIfEnded();
    const lane = isLong ? this.#long : this.#short;
    if (lane.inFlight < lane.most) {
      lane.inFlight += 1;
      return this.#lease(lane);
    }
    return new Promise<Lease>((resolve, reject) => {
      const stopListening = scope.onEnd((error) => {
        lane.waiting.delete(proceed);
        reject(error);
      });
      const proceed = (lease: Lease): void => {
        stopListening();
        resolve(lease);
      };
      lane.waiting.add(proceed);
    });
  }

  #lease(lane: Lane): Lease {
    const connection =
      this.#idle.pop() ??
      new Connection(this.#origin, this.#connectMs, () => {
        this.drops += 1;
      });
    let isOver = false;
    const release = (): void => {
      isOver = true;
      const [next] = lane.waiting;
      if (next === undefined) {
        lane.inFlight -= 1;
        return;
      }
      lane.waiting.delete(next);
      next(this.#lease(lane));
    };
    return {
      connection,
      giveBack: () => {
        if (isOver) return;
        if (this.#isClosed) connection.destroy(null);
        else this.#idle.push(connection);
        release();
      },
      destroy: (error) => {
        if (isOver) return;
        connection.destroy(error);
        release();
      },
    };
  }

  /** Those that are in use are ended by who uses them. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#idle.splice(0)) connection.destroy(null);
  }
}

/** A place for one request at a time. Connects when it is used, and again when it was dropped. */
export class Connection {
  readonly client: Client;
  /** The other side has said that it ends this connection with its answer. */
  isEnding = false;
  /** A request was sent, and the head of its answer has not come. */
  isHeadAwaited = false;
  #opening: Socket | null = null;

  constructor(origin: string, connectMs: number, onDropped: () => void) {
    this.client = new Client(origin, {
      pipelining: 1,
      // Loads and generations are silent for longer than the five minutes of undici's defaults.
      headersTimeout: 0,
      bodyTimeout: 0,
      // Our own, since undici's connect limit is up to half a second late above one second.
      connect: (options, callback) => this.#open(connectMs, options, callback, onDropped),
    });
  }

  /** Ends it in whatever state it is, with its request. */
  destroy(error: FoundryError | null): void {
    // That is no drop by the endpoint.
    this.isEnding = true;
    this.#opening?.destroy();
    // Not awaited: it resolves when the socket is closed.
    this.client.destroy(error).catch(() => {});
  }

  #open(
    connectMs: number,
    options: buildConnector.Options,
    callback: buildConnector.Callback,
    onDropped: () => void,
  ): void {
    const isTls = options.protocol === "https:";
    const socket = isTls ? openTls(options) : openTcp(options);
    this.#opening = socket;
    const stopLimit = timeLimit(connectMs, () => socket.destroy(new ConnectTimeout(connectMs)));
    const settle = (): boolean => {
      stopLimit();
      if (this.#opening !== socket) return false;
      this.#opening = null;
      return true;
    };
    const fail = (error: Error): void => {
      if (settle()) callback(error, null);
    };
    socket.once(isTls ? "secureConnect" : "connect", () => {
      if (!settle()) return;
      this.isEnding = false;
      let isDropped = false;
      const dropped = (): void => {
        if (!isDropped && !this.isEnding) onDropped();
        isDropped = true;
      };
      socket.once("end", dropped).once("error", dropped);
      skipContinue(socket, () => this.isHeadAwaited);
      callback(null, socket);
    });
    // Stays for the life of the socket: one without any error listener would end the process.
    socket.on("error", fail);
    socket.once("close", () => fail(new Error("the connection was closed while it was opened")));
  }
}

function openTcp({ hostname, port }: buildConnector.Options): Socket {
  return connectTcp({ host: hostname, port: Number(port || 80), noDelay: true, keepAlive: true });
}

function openTls({ hostname, port, servername }: buildConnector.Options): Socket {
  // TLS forbids an address as server name.
  const name = servername ?? (isIP(hostname) === 0 ? hostname : "");
  return connectTls({
    host: hostname,
    port: Number(port || 443),
    servername: name,
    ALPNProtocols: ["http/1.1"],
  }).setNoDelay(true);
}

/**
 * Passes over `100 Continue`, which some servers send unasked. undici ends the connection at one that
 * it did not ask for.
 */
function skipContinue(socket: Socket, isHeadAwaited: () => boolean): void {
  const read = socket.read.bind(socket);
  socket.read = (size?: number) => {
    for (;;) {
      const chunk: unknown = read(size);
      if (!Buffer.isBuffer(chunk) || !isHeadAwaited()) return chunk;
      const rest = behindContinue(chunk);
      if (rest.length > 0) return rest;
    }
  };
}

const CONTINUE = /^HTTP\/1\.\d 100[ \r]/;

function behindContinue(chunk: Buffer): Buffer {
  let rest = chunk;
  while (CONTINUE.test(rest.toString("latin1", 0, 16))) {
    const end = rest.indexOf("\r\n\r\n");
    if (end === -1) break;
    rest = rest.subarray(end + 4);
  }
  return rest;
}
