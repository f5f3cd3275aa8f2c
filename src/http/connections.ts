import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type buildConnector, Client } from "undici";
import type { FoundryError } from "../errors.js";

/** No connection within the limit. Nothing was sent, so it may always be tried again. */
export class ConnectTimeout extends Error {
  readonly code = "CONNECT_TIMEOUT";

  constructor(readonly limitMs: number) {
    super(`no connection within ${limitMs} ms`);
  }
}

/**
 * The connections to one endpoint, kept for the next request. There is no bound on them: a request
 * that waited here would wait behind a generation of minutes, with none of its time limits running.
 * How much is sent at once is decided above.
 *
 * Our own in place of undici's `Pool`, because of what that does after an abort: it opens a new
 * connection for the request that was aborted, and cannot end one that is still being opened.
 */
export class Connections {
  readonly #origin: string;
  readonly #connectMs: number;
  /** The last one used is the next one used: it is the least likely to have been dropped. */
  readonly #idle: Connection[] = [];
  #drops = 0;

  constructor(origin: string, connectMs: number) {
    this.#origin = origin;
    this.#connectMs = connectMs;
  }

  /** How often the other side ended a connection unasked: whoever answers next may be somebody else. */
  get drops(): number {
    return this.#drops;
  }

  take(): Connection {
    return this.#idle.pop() ?? new Connection(this.#origin, this.#connectMs, this.#dropped);
  }

  giveBack(connection: Connection): void {
    this.#idle.push(connection);
  }

  readonly #dropped = (): void => {
    this.#drops += 1;
  };

  /** Those that are in use are ended by who uses them. */
  close(): void {
    for (const connection of this.#idle.splice(0)) connection.destroy(null);
  }
}

/** A place for one request at a time. Connects when it is used, and again when it was dropped. */
export class Connection {
  readonly client: Client;
  /** The other side has said that it ends this connection with its answer. */
  isEnding = false;
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
    this.#opening?.destroy();
    // Resolves when the socket is closed, which nobody has to wait for.
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
    const limit = setTimeout(() => socket.destroy(new ConnectTimeout(connectMs)), connectMs);
    const settle = (): boolean => {
      clearTimeout(limit);
      if (this.#opening !== socket) return false;
      this.#opening = null;
      return true;
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
      callback(null, socket);
    });
    // Stays for the life of the socket: one without any error listener would end the process.
    socket.on("error", (error) => {
      if (settle()) callback(error, null);
    });
    socket.once("close", () => {
      if (settle()) callback(new Error("the connection was closed while it was opened"), null);
    });
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
