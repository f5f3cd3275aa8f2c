import type { Settings } from "../../e2e/executable.js";
import {
  type Link,
  messageSchema,
  type SentCall,
  type ToolReply,
  toolReplyOf,
} from "./messages.js";
import { SoakedServer } from "./soaked-server.js";

interface Open {
  readonly settle: (reply: ToolReply | null) => void;
  isCancelled: boolean;
}

/** A server over stdio with many calls in flight. Each id must be answered once; a cancelled one at most once. */
export class StdioServer extends SoakedServer implements Link {
  readonly kind = "stdio";
  readonly #open = new Map<number, Open>();
  #lastId = 0;
  #unread = "";

  static async start(settings: Settings): Promise<StdioServer> {
    const server = new StdioServer("stdio", ["serve"], settings);
    await server.#request("initialize", {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "soak", version: "1" },
    }).reply;
    server.#say({ method: "notifications/initialized" });
    return server;
  }

  /** Calls in flight that were not cancelled. */
  get unanswered(): number {
    return [...this.#open.values()].filter(({ isCancelled }) => !isCancelled).length;
  }

  send(tool: string, given: object): SentCall {
    return this.#request("tools/call", { name: tool, arguments: given });
  }

  async renew(): Promise<void> {}

  async close(): Promise<void> {
    this.endInput();
    await this.ended;
  }

  protected override heard(): void {
    const lines = (this.#unread + this.stdout).split("\n");
    this.stdout = "";
    this.#unread = lines.pop() ?? "";
    for (const line of lines) this.#take(line);
    super.heard();
  }

  #request(method: string, params: object): SentCall {
    this.#lastId += 1;
    const id = this.#lastId;
    const reply = new Promise<ToolReply | null>((settle) => {
      this.#open.set(id, { settle, isCancelled: false });
    });
    this.#say({ id, method, params });
    const cancel = async (): Promise<void> => {
      const open = this.#open.get(id);
      if (open === undefined) return;
      open.isCancelled = true;
      this.#say({
        method: "notifications/cancelled",
        params: { requestId: id, reason: "the user stopped it" },
      });
      open.settle(null);
    };
    return { reply, cancel };
  }

  #take(line: string): void {
    const parsed = messageSchema.safeParse(jsonOf(line));
    if (!parsed.success) {
      this.faults.push(`stdout has a line that is not JSON-RPC: ${line.slice(0, 300)}`);
      return;
    }
    const { id, method } = parsed.data;
    if (method !== undefined) return;
    const open = this.#open.get(id ?? 0);
    if (id === undefined || open === undefined) {
      this.faults.push(`an answer without an open request: ${line.slice(0, 300)}`);
      return;
    }
    this.#open.delete(id);
    open.settle(toolReplyOf(parsed.data));
  }

  #say(message: object): void {
    this.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
