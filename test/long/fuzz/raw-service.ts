/** A process of its own, so that its work is not counted as the client's. */
import { createServer, type Server, type Socket } from "node:net";
import { DIALECTS, type Simulator, startSimulator } from "foundry-local-simulator";
import type { Reply } from "./replies.js";

interface Plain {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

function swapped(body: string, at: number, by: string): string {
  const values = [...body.matchAll(/(?<=[:[,]\s*)(?:"[^"\\]*"(?!:)|-?\d[\d.]*|true|false|null)/g)];
  const found = values[Math.floor(at * values.length)];
  if (found === undefined) return body;
  return body.slice(0, found.index) + by + body.slice(found.index + found[0].length);
}

/** One dialect, whose replies are those of the simulator, until one is to be odd. */
class RawService {
  /** The change of the replies. */
  #odd: Reply | null = null;
  #count = 0;
  readonly #plain = new Map<string, Promise<Plain>>();
  readonly #server: Server = createServer((socket) => this.#serve(socket));

  constructor(private readonly simulator: Simulator) {}

  be(odd: Reply | null): void {
    this.#odd = odd;
    this.#count = 0;
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  }

  #serve(socket: Socket): void {
    let text = "";
    socket.on("error", () => {});
    socket.setNoDelay(true);
    socket.setEncoding("latin1").on("data", (chunk) => {
      text += chunk;
      const head = text.indexOf("\r\n\r\n");
      if (head < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(text.slice(0, head))?.[1] ?? 0);
      if (text.length < head + 4 + length) return;
      const [method = "", path = ""] = text.split(" ", 2);
      const body = text.slice(head + 4, head + 4 + length);
      text = "";
      void this.#answer(socket, method, path, body);
    });
  }

  /** The first answers of the simulator. */
  #plainly(method: string, path: string, body: string): Promise<Plain> {
    const key = `${method} ${path}`;
    const known = this.#plain.get(key);
    if (known !== undefined) return known;
    const asked = fetch(this.simulator.url + path, {
      method,
      ...(method === "POST" ? { body, headers: { "content-type": "application/json" } } : {}),
    }).then(async (answer) => ({
      status: answer.status,
      type: answer.headers.get("content-type") ?? "application/json",
      body: await answer.text(),
    }));
    this.#plain.set(key, asked);
    return asked;
  }

  async #answer(socket: Socket, method: string, path: string, given: string): Promise<void> {
    const plain = await this.#plainly(method, path, given);
    const odd = this.#count >= (this.#odd?.from ?? 0) ? this.#odd : null;
    this.#count += 1;
    let { status, type, body } = plain;
    if (odd?.kind === "swap") body = swapped(body, odd.at, odd.value);
    if (odd?.kind === "status") ({ status, type } = odd);
    if (odd?.kind === "body") ({ status, type, body } = odd);
    if (odd?.kind === "frames") body = `:\n\nevent: x\ndata: ${odd.value}\n\n${body}`;
    const bytes = Buffer.from(body);
    const isChunked = odd?.kind === "chunked" || odd?.kind === "bad_chunk";
    const head = [
      odd?.kind === "head" ? odd.head : `HTTP/1.1 ${status} X`,
      `Content-Type: ${type}`,
      isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${bytes.length}`,
      ...(odd?.kind === "headers" ? odd.headers : []),
      ...(odd === null ? [] : ["Connection: close"]),
      "\r\n",
    ].join("\r\n");
    if (odd?.kind === "reset_before_head") {
      socket.resetAndDestroy();
      return;
    }
    socket.write(head, "latin1");
    const end = Math.floor((odd?.at ?? 1) * bytes.length);
    if (odd === null) socket.write(bytes);
    else if (odd.kind === "reset") socket.resetAndDestroy();
    else if (odd.kind === "cut") socket.end(bytes.subarray(0, end));
    else if (isChunked) await this.#chunks(socket, bytes, odd);
    else socket.end(bytes);
  }

  async #chunks(socket: Socket, bytes: Buffer, { splits, kind, head }: Reply): Promise<void> {
    const places = splits.map((part) => Math.floor(part * bytes.length)).sort((a, b) => a - b);
    let from = 0;
    for (const at of [...places, bytes.length]) {
      if (at > from) {
        socket.write(`${(at - from).toString(16)}\r\n`);
        socket.write(bytes.subarray(from, at));
        socket.write("\r\n");
        // The reader must get it as a separate chunk, too.
        await new Promise((resolve) => setImmediate(resolve));
      }
      from = at;
    }
    socket.end(kind === "bad_chunk" ? head : "0\r\n\r\n");
  }
}

const services: RawService[] = [];
const urls: string[] = [];
for (const dialect of DIALECTS) {
  const models = [{ id: "tiny-generic-cpu:1", script: { text: "Hello." }, loaded: true }];
  const service = new RawService(await startSimulator({ dialect, models }));
  services.push(service);
  urls.push(await service.listen());
}
process.on("message", ({ dialect, reply }: { dialect: number; reply: Reply | null }) => {
  services[dialect]?.be(reply);
  process.send?.({ dialect });
});
process.on("disconnect", () => process.exit(0));
process.send?.({ urls });
