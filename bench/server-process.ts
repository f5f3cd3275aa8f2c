import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { z } from "zod";

/** How to start an MCP server over stdio. */
export interface Subject {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

const messageSchema = z.looseObject({
  id: z.number().optional(),
  result: z.unknown().optional(),
  error: z.unknown().optional(),
});
type Message = z.output<typeof messageSchema>;

/** A started MCP server, driven by lines of the protocol, with the CPU time and memory of its process. */
export class ServerProcess {
  readonly child: ChildProcess;
  readonly #answers = new Map<number, (message: Message) => void>();
  #lastId = 0;

  constructor({ command, args }: Subject, env: Readonly<Record<string, string>>, withIpc = false) {
    this.child = spawn(command, [...args], {
      env: { ...process.env, ...env },
      stdio: withIpc ? ["pipe", "pipe", "inherit", "ipc"] : ["pipe", "pipe", "ignore"],
    });
    if (this.child.stdout === null) throw new Error("the server has no stdout");
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      const message = messageSchema.parse(JSON.parse(line));
      if (message.id === undefined) return;
      this.#answers.get(message.id)?.(message);
      this.#answers.delete(message.id);
    });
  }

  async request(method: string, params: object = {}): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = new Promise<Message>((resolve) => this.#answers.set(id, resolve));
    this.#send({ id, method, params });
    const { result, error } = await answer;
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result;
  }

  notify(method: string): void {
    this.#send({ method });
  }

  async initialize(): Promise<void> {
    await this.request("initialize", {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "bench", version: "1" },
    });
    this.notify("notifications/initialized");
  }

  /** Resident memory in MB. From /proc, so on Linux only. */
  memoryMb(): number {
    const status = readFileSync(`/proc/${this.child.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
  }

  /** Closes its stdin, which ends the server. */
  async close(): Promise<void> {
    const ended = once(this.child, "exit");
    this.child.stdin?.end();
    // Kill a server that does not end with its stdin: this is a measurement, not a test.
    const timer = setTimeout(() => this.child.kill(), 2000);
    await ended;
    clearTimeout(timer);
  }

  #send(message: object): void {
    this.child.stdin?.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  }
}
