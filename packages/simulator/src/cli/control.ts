import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import * as z from "zod";

/** A program ends at once when its connection ends, unless it is suspended. */
const LAST_MOMENTS_MS = 1000;

/** The answer of a live control server to a ping. */
const HERE = "here";
/** The timeout of a ping, which stays on this machine. */
const ANSWER_WITHIN_MS = 2000;

const questionSchema = z.object({ token: z.string(), asks: z.literal(HERE) });
const helloSchema = z.object({
  token: z.string(),
  pid: z.number().int(),
  argv: z.array(z.string()),
  holds: z.boolean(),
});

type Message =
  | { readonly act: "write"; readonly stream: 0 | 1; readonly base64: string }
  | { readonly act: "exit"; readonly code: number }
  | { readonly act: "kill" }
  | { readonly act: "ignoreTermination" }
  | { readonly act: "hold"; readonly milliseconds: number };

/** One live process of the stand-in. */
export class StandInProcess {
  readonly argv: readonly string[];
  readonly pid: number;
  readonly #socket: Socket;
  readonly #gone = new AbortController();
  /** Aborted when it has ended. */
  readonly gone: AbortSignal = this.#gone.signal;

  constructor(socket: Socket, argv: readonly string[], pid: number) {
    this.argv = argv;
    this.pid = pid;
    this.#socket = socket;
    socket.once("close", () => this.#gone.abort());
  }

  send(message: Message): void {
    if (this.#socket.writable) this.#socket.write(`${JSON.stringify(message)}\n`);
  }
}

/** The server from which the processes of the stand-in get their orders. */
export class ControlServer {
  readonly token = randomUUID();
  readonly #server: Server;
  readonly #sockets = new Map<Socket, number | null>();
  readonly #onCall: (process: StandInProcess) => void;
  readonly #onEnd: () => void;

  constructor(onCall: (process: StandInProcess) => void, onEnd: () => void) {
    this.#onCall = onCall;
    this.#onEnd = onEnd;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** Resolves to the port. */
  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return address.port;
  }

  /** The number of live processes, including those that only hold pipes. */
  get processes(): number {
    return this.#sockets.size;
  }

  /** Ends every process and resolves when they have ended. */
  async close(): Promise<void> {
    this.#server.close();
    await Promise.all([...this.#sockets.keys()].map((socket) => this.#end(socket)));
  }

  async #end(socket: Socket): Promise<void> {
    // Not `once` of node:events, which rejects when the connection is reset.
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.end();
    const late = setTimeout(() => {
      const pid = this.#sockets.get(socket);
      if (typeof pid === "number") kill(pid);
      socket.destroy();
    }, LAST_MOMENTS_MS);
    await closed;
    clearTimeout(late);
  }

  #accept(socket: Socket): void {
    this.#sockets.set(socket, null);
    // A broken connection is noticed by its close.
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
    socket.on("close", () => {
      this.#sockets.delete(socket);
      this.#onEnd();
    });
    let received = "";
    socket.setEncoding("utf8");
    const read = (text: string) => {
      received += text;
      const end = received.indexOf("\n");
      if (end < 0) return;
      socket.off("data", read);
      socket.resume();
      this.#greet(socket, received.slice(0, end));
    };
    socket.on("data", read);
  }

  #greet(socket: Socket, line: string): void {
    const said = parsed(line);
    if (questionSchema.safeParse(said).data?.token === this.token) {
      socket.end(`${HERE}\n`);
      return;
    }
    const hello = helloSchema.safeParse(said);
    if (!hello.success || hello.data.token !== this.token) {
      socket.destroy();
      return;
    }
    const { argv, pid, holds } = hello.data;
    this.#sockets.set(socket, pid);
    if (!holds) this.#onCall(new StandInProcess(socket, argv, pid));
  }
}

/** Whether the control server that gave out this token still answers at this port. */
export async function stillAnswers(port: number, token: string): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const late = setTimeout(() => socket.destroy(), ANSWER_WITHIN_MS);
  try {
    socket.write(`${JSON.stringify({ token, asks: HERE })}\n`);
    for await (const bytes of socket) return String(bytes).startsWith(HERE);
  } catch {
    // Nothing listens there, or another program.
  } finally {
    clearTimeout(late);
    socket.destroy();
  }
  return false;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}
