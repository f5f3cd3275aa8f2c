import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { z } from "zod";
import { environmentWith, MAIN, type Settings } from "../e2e/executable.js";

export interface ServerOptions {
  readonly settings: Settings;
  /** Default: the current Node with the built executable. */
  readonly command?: readonly [string, ...string[]];
  /** The folder that the host starts it in. */
  readonly folder?: string;
  /** Before the first line. */
  readonly before?: string;
  readonly endOfLine?: string;
}

const messageSchema = z.looseObject({ id: z.number().optional(), result: z.unknown().optional() });

/** A server as hosts on Windows start it: from any folder, by another program, with their line ends. */
export class Server {
  readonly #waiting = new Map<number, (result: unknown) => void>();
  readonly #options: ServerOptions;
  #isFirst = true;
  #lastId = 0;

  private constructor(
    readonly child: ChildProcessWithoutNullStreams,
    options: ServerOptions,
  ) {
    this.#options = options;
    createInterface({ input: child.stdout }).on("line", (line) => {
      const { id, result } = messageSchema.parse(JSON.parse(line));
      if (id !== undefined) this.#waiting.get(id)?.(result);
    });
    child.stderr.resume();
  }

  static async start(options: ServerOptions): Promise<Server> {
    const [program, ...args] = options.command ?? [process.execPath, MAIN];
    const child = spawn(program, args, {
      env: environmentWith(options.settings),
      cwd: options.folder,
      stdio: "pipe",
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    const server = new Server(child, options);
    await server.request("initialize", {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "windows", version: "1" },
    });
    return server;
  }

  /** Without waiting for the answer; returns its id. */
  send(method: string, params: object): number {
    this.#lastId += 1;
    const line = JSON.stringify({ jsonrpc: "2.0", id: this.#lastId, method, params });
    const { before = "", endOfLine = "\n" } = this.#options;
    this.child.stdin.write(`${this.#isFirst ? before : ""}${line}${endOfLine}`);
    this.#isFirst = false;
    return this.#lastId;
  }

  request(method: string, params: object = {}): Promise<unknown> {
    const id = this.send(method, params);
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  call(name: string, given: object = {}): Promise<unknown> {
    return this.request("tools/call", { name, arguments: given });
  }

  /** Its exit code after the end of its stdin. */
  async end(): Promise<unknown> {
    const exited = once(this.child, "exit");
    this.child.stdin.end();
    const [code]: unknown[] = await exited;
    return code;
  }
}
