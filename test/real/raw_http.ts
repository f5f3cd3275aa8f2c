import { connect, type Socket } from "node:net";

/** One request as it goes over the wire. */
export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as it is; without one, no Content-Length is sent either. */
  readonly body?: string | Uint8Array;
  /** Close the connection once this many chunks have come. */
  readonly leaveAfterChunks?: number;
  /** Close the connection once this many events with data have come; comments do not count. */
  readonly leaveAfterEvents?: number;
  /** Close the connection this time after the request was sent, answered or not. */
  readonly leaveAfterMilliseconds?: number;
}

/** What came back, byte for byte where it matters. */
export interface RawResponse {
  readonly status?: number;
  readonly reason?: string;
  readonly headers?: readonly (readonly [string, string])[];
  /** The chunks as the service flushed them, or the whole body as one. */
  readonly chunks: readonly string[];
  /** How the connection ended, where it was not with a complete answer. */
  readonly connection?: string;
}

const LEFT = "closed by the client";
const patienceMilliseconds = 60_000;
// An answer to HEAD has no body, but one service sends one nevertheless.
const headBodyMilliseconds = 500;

/**
 * Sends a request over a plain socket, so that the framing of chunks, repeated headers and
 * resets are seen; an HTTP client hides them.
 */
export function rawExchange(url: string, request: RawRequest): Promise<RawResponse> {
  const { hostname, port, host } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    const parser = new ResponseParser();
    /** After how many chunks it leaves; `undefined`: they have not come. */
    const chunksBeforeLeaving = (chunks: readonly string[]): number | undefined => {
      const { leaveAfterChunks = Infinity, leaveAfterEvents = Infinity } = request;
      const last = chunks.findIndex(
        (_, at) => eventsIn(chunks.slice(0, at + 1)) >= leaveAfterEvents,
      );
      if (last !== -1) return last + 1;
      return chunks.length >= leaveAfterChunks ? leaveAfterChunks : undefined;
    };
    const finish = (connection?: string) => {
      clearTimeout(patience);
      clearTimeout(leave);
      socket.destroy();
      const { chunks, ...rest } = parser.result();
      // On a busy machine several chunks come at once.
      const seen = connection === LEFT ? chunks.slice(0, chunksBeforeLeaving(chunks)) : chunks;
      resolve({ ...rest, chunks: seen, ...(connection === undefined ? {} : { connection }) });
    };
    const patience = setTimeout(
      () => finish(`no end of the answer within ${patienceMilliseconds / 1_000} s`),
      patienceMilliseconds,
    );
    let leave: NodeJS.Timeout | undefined;
    socket.once("connect", () => {
      const { leaveAfterMilliseconds } = request;
      if (leaveAfterMilliseconds === undefined) return;
      leave = setTimeout(() => finish(LEFT), leaveAfterMilliseconds);
    });
    socket.on("data", (data) => {
      parser.add(data);
      if (request.method === "HEAD") setTimeout(finish, headBodyMilliseconds);
      else if (parser.complete()) finish();
      else if (chunksBeforeLeaving(parser.result().chunks) !== undefined) finish(LEFT);
    });
    socket.on("error", (error) => finish("code" in error ? String(error.code) : error.message));
    socket.on("close", () => {
      if (parser.endsWithConnection()) finish();
      else finish("closed by the service before the end of its answer");
    });
    send(socket, host, request);
  });
}

const eventsIn = (chunks: readonly string[]): number =>
  chunks.join("").match(/^data:/gm)?.length ?? 0;

function send(socket: Socket, host: string, request: RawRequest): void {
  const lines = [`${request.method} ${request.path} HTTP/1.1`, `Host: ${host}`];
  for (const [name, value] of Object.entries(request.headers)) lines.push(`${name}: ${value}`);
  const body = request.body === undefined ? undefined : Buffer.from(request.body);
  if (body !== undefined) lines.push(`Content-Length: ${body.length}`);
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  if (body !== undefined && body.length > 0) socket.write(body);
}

/** How many bytes the request line and headers of a request take. */
export function headLength(url: string, request: RawRequest): number {
  const lines = [`${request.method} ${request.path} HTTP/1.1`, `Host: ${new URL(url).host}`];
  for (const [name, value] of Object.entries(request.headers)) lines.push(`${name}: ${value}`);
  return Buffer.byteLength(`${lines.join("\r\n")}\r\n\r\n`);
}

class ResponseParser {
  #rest: Buffer = Buffer.alloc(0);
  #head: { status: number; reason: string; headers: [string, string][] } | undefined;
  #chunks: string[] = [];
  #complete = false;

  add(data: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, data]);
    if (this.#head === undefined) this.#readHead();
    if (this.#head !== undefined && !this.#complete) this.#readBody();
  }

  complete(): boolean {
    return this.#complete;
  }

  /** A body without a length ends with its connection. */
  endsWithConnection(): boolean {
    return this.#complete || (this.#head !== undefined && !this.#chunked() && !this.#hasLength());
  }

  result(): RawResponse {
    const unframed = this.#head !== undefined && !this.#chunked() && this.#rest.length > 0;
    const chunks = unframed ? [...this.#chunks, this.#rest.toString()] : this.#chunks;
    return { ...this.#head, chunks };
  }

  #header(name: string): string | undefined {
    return this.#head?.headers.find(([header]) => header.toLowerCase() === name)?.[1];
  }

  #chunked(): boolean {
    return this.#header("transfer-encoding") === "chunked";
  }

  #hasLength(): boolean {
    return this.#header("content-length") !== undefined;
  }

  #readHead(): void {
    const end = this.#rest.indexOf("\r\n\r\n");
    if (end === -1) return;
    const [first = "", ...lines] = this.#rest.toString("latin1", 0, end).split("\r\n");
    const [, status = "", ...reason] = first.split(" ");
    const headers = lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    });
    this.#head = { status: Number(status), reason: reason.join(" "), headers };
    this.#rest = this.#rest.subarray(end + 4);
  }

  #readBody(): void {
    if (this.#chunked()) this.#readChunks();
    else if (this.#rest.length >= Number(this.#header("content-length") ?? Number.NaN)) {
      this.#complete = true;
    }
  }

  #readChunks(): void {
    for (;;) {
      // The line end behind a chunk may come only with the next chunk.
      const start = this.#rest.subarray(0, 2).toString() === "\r\n" ? 2 : 0;
      const end = this.#rest.indexOf("\r\n", start);
      if (end === -1) return;
      const length = Number.parseInt(this.#rest.toString("latin1", start, end), 16);
      if (length === 0) {
        this.#complete = true;
        this.#rest = Buffer.alloc(0);
        return;
      }
      if (this.#rest.length < end + 2 + length) return;
      this.#chunks.push(this.#rest.toString("utf8", end + 2, end + 2 + length));
      this.#rest = this.#rest.subarray(end + 2 + length);
    }
  }
}
