import { Agent, fetch, type Response } from "undici";
import type { Settings } from "../../e2e/executable.js";
import {
  type Link,
  messageSchema,
  type SentCall,
  type ToolReply,
  toolReplyOf,
} from "./messages.js";
import { SoakedServer } from "./soaked-server.js";

const VERSION = "2025-11-25";
const HEADERS = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
  "mcp-protocol-version": VERSION,
};

/** A server over Streamable HTTP. */
export class HttpServer extends SoakedServer {
  #url: string | undefined;

  static async start(settings: Settings): Promise<HttpServer> {
    const server = new HttpServer("http", ["serve", "--http", "0"], settings);
    await server.when("the address", () => server.#url);
    return server;
  }

  get url(): string {
    if (this.#url === undefined) throw new Error("the server has no address yet");
    return this.#url;
  }

  protected override saw(line: string): void {
    this.#url ??= / serves MCP at (http\S+)/.exec(line)?.[1];
  }
}

/** One session of one caller. The response to a request must have its answer once. */
export class HttpLink implements Link {
  readonly kind = "http";
  readonly #server: HttpServer;
  /** The connections of this session, which it closes. */
  #agent = new Agent();
  #session = "";
  #lastId = 0;

  private constructor(server: HttpServer) {
    this.#server = server;
  }

  static async open(server: HttpServer): Promise<HttpLink> {
    const link = new HttpLink(server);
    await link.#begin();
    return link;
  }

  send(tool: string, given: object): SentCall {
    this.#lastId += 1;
    const id = this.#lastId;
    let isCancelled = false;
    const call = async (): Promise<ToolReply | null> => {
      const response = await this.#post({
        id,
        method: "tools/call",
        params: { name: tool, arguments: given },
      });
      const answers = messagesOf(await response.text()).filter((message) => message.id === id);
      const [answer] = answers;
      if (answers.length > 1) this.#fault(`${answers.length} answers to one request`);
      // A cancelled call is answered with an error, which ends its stream.
      if (isCancelled && answer?.error !== undefined) return null;
      if (answer !== undefined) return toolReplyOf(answer);
      if (!isCancelled) this.#fault(`no answer to ${tool}: status ${response.status}`);
      return null;
    };
    const cancel = async (): Promise<void> => {
      isCancelled = true;
      const params = { requestId: id, reason: "the user stopped it" };
      await (await this.#post({ method: "notifications/cancelled", params })).text();
    };
    return { reply: call(), cancel };
  }

  async renew(): Promise<void> {
    await this.close();
    await this.#begin();
  }

  async close(): Promise<void> {
    const headers = { ...HEADERS, "mcp-session-id": this.#session };
    const dispatcher = this.#agent;
    const response = await fetch(this.#server.url, { method: "DELETE", headers, dispatcher });
    await response.text();
    await this.#agent.close();
    if (!response.ok) this.#fault(`the end of a session has status ${response.status}`);
  }

  async #begin(): Promise<void> {
    this.#agent = new Agent();
    this.#session = "";
    this.#lastId += 1;
    const response = await this.#post({
      id: this.#lastId,
      method: "initialize",
      params: {
        protocolVersion: VERSION,
        capabilities: {},
        clientInfo: { name: "soak", version: "1" },
      },
    });
    await response.text();
    this.#session = response.headers.get("mcp-session-id") ?? "";
    await (await this.#post({ method: "notifications/initialized" })).text();
  }

  #post(message: object): Promise<Response> {
    const session = this.#session === "" ? {} : { "mcp-session-id": this.#session };
    return fetch(this.#server.url, {
      method: "POST",
      headers: { ...HEADERS, ...session },
      dispatcher: this.#agent,
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
    });
  }

  #fault(what: string): void {
    this.#server.faults.push(`http: ${what}`);
  }
}

/** The messages of a body, which is JSON or a stream of events. */
function messagesOf(body: string) {
  const events = body
    .split("\n")
    .flatMap((line) => (line.startsWith("data:") ? [line.slice(5)] : []));
  const texts = body.startsWith("{") ? [body] : events;
  return texts
    .filter((text) => text.trim() !== "")
    .map((text) => messageSchema.parse(JSON.parse(text)));
}
