import { onTestFinished } from "vitest";
import { z } from "zod";
import { Executable, type Settings } from "./executable.js";

const messageSchema = z.looseObject({
  jsonrpc: z.literal("2.0"),
  id: z.union([z.number(), z.string()]).optional(),
  method: z.string().optional(),
  params: z.looseObject({}).optional(),
  result: z.looseObject({}).optional(),
  error: z.looseObject({ code: z.number(), message: z.string() }).optional(),
});
export type WireMessage = z.output<typeof messageSchema>;

export interface Received {
  readonly message: WireMessage;
  /** `performance.now()` of its arrival. */
  readonly at: number;
}

/**
 * A host that writes and reads the lines of MCP itself: for what a client library would hide, such as
 * the order of messages, or unrequested ones.
 */
export class WireHost extends Executable {
  readonly received: Received[] = [];
  #read = 0;
  #lastId = 0;

  /** Starts the server for one test, and ends it with that test. Sends nothing. */
  static open(settings: Settings = {}, args: readonly string[] = [], cwd?: string): WireHost {
    const host = new WireHost(args, settings, cwd);
    onTestFinished(() => host.destroy());
    return host;
  }

  /** Starts the server for one test, and makes the handshake of the older era. */
  static async start(
    settings: Settings = {},
    args: readonly string[] = [],
    cwd?: string,
  ): Promise<WireHost> {
    const host = WireHost.open(settings, args, cwd);
    const answer = await host.request("initialize", {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "wire-host", version: "1" },
    });
    if (answer.error !== undefined) throw new Error(answer.error.message);
    host.notify("notifications/initialized");
    return host;
  }

  /** Sends a request without waiting; returns its id. */
  send(method: string, params: object = {}): number {
    this.#lastId += 1;
    const id = this.#lastId;
    this.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    return id;
  }

  notify(method: string, params: object = {}): void {
    this.write(`${JSON.stringify({ jsonrpc: "2.0", method, params })}\n`);
  }

  /** Calls a tool without waiting; returns the id of the request. */
  call(name: string, given: object = {}, meta: object = {}): number {
    return this.send("tools/call", { name, arguments: given, _meta: meta });
  }

  answerTo(id: number): Promise<WireMessage> {
    return this.when(`an answer to request ${id}`, () => this.answers(id)[0]);
  }

  request(method: string, params: object = {}): Promise<WireMessage> {
    return this.answerTo(this.send(method, params));
  }

  answers(id: number): WireMessage[] {
    return this.received.map(({ message }) => message).filter((message) => message.id === id);
  }

  /** Progress of one token, in the order of its arrival. */
  progressOf(token: string | number): { progress: number; message: string; at: number }[] {
    return this.received.flatMap(({ message, at }) => {
      const progress = progressSchema.safeParse(message);
      if (!progress.success || progress.data.params.progressToken !== token) return [];
      return [{ ...progress.data.params, at }];
    });
  }

  protected override heard(): void {
    this.#takeLines();
    super.heard();
  }

  /** Whatever stands on stdout must be a message; anything else fails the test. */
  #takeLines(): void {
    for (let end = this.#endOfLine(); end !== -1; end = this.#endOfLine()) {
      const line = this.stdout.slice(this.#read, end);
      this.#read = end + 1;
      const message = messageSchema.parse(JSON.parse(line));
      this.received.push({ message, at: performance.now() });
    }
  }

  #endOfLine(): number {
    return this.stdout.indexOf("\n", this.#read);
  }
}

const progressSchema = z.object({
  method: z.literal("notifications/progress"),
  params: z.object({
    progressToken: z.union([z.number(), z.string()]),
    progress: z.number(),
    message: z.string(),
  }),
});
