import type { Readable, Writable } from "node:stream";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import {
  ErrorCode,
  type JSONRPCMessage,
  JSONRPCMessageSchema,
  type RequestId,
  RequestIdSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";
import { LineSplitter } from "./line-splitter.js";

/** A prompt of 5 MB is 30 MB when each character of it is escaped. */
const LONGEST_LINE = 64 * 1024 * 1024;

/** As much of a message as is needed to answer that it is none. */
const withIdSchema = z.object({ id: RequestIdSchema, method: z.unknown() });

/**
 * MCP over a pair of streams, one JSON message a line. Unlike the SDK's `StdioServerTransport` it
 * closes when the input ends or the output breaks, answers what it cannot read instead of leaving the
 * caller to wait, and survives a line that is too long.
 */
export class LineTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #input: Readable;
  readonly #output: Writable;
  readonly #lines: LineSplitter;
  #isClosed = false;

  constructor(input: Readable, output: Writable, longestLine = LONGEST_LINE) {
    this.#input = input;
    this.#output = output;
    this.#lines = new LineSplitter(longestLine);
  }

  async start(): Promise<void> {
    this.#input.on("data", this.#onData);
    this.#input.once("end", this.#onEnd);
    this.#input.once("close", this.#onEnd);
    this.#input.once("error", this.#onBreak);
    // Never taken away: a pipe may report its end long after we have stopped to use it.
    this.#output.on("error", this.#onBreak);
  }

  send(message: JSONRPCMessage): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#output.write(`${JSON.stringify(message)}\n`, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#input.off("data", this.#onData);
    // A paused stdin no longer keeps the process alive.
    this.#input.pause();
    this.onclose?.();
  }

  readonly #onEnd = (): void => void this.close();

  readonly #onBreak = (error: Error): void => {
    if (!this.#isClosed) this.onerror?.(error);
    void this.close();
  };

  readonly #onData = (chunk: Buffer): void => {
    for (const line of this.#lines.push(chunk)) {
      if (this.#isClosed) return;
      if (line === null) {
        this.#refuse(ErrorCode.InvalidRequest, "The message is too long.");
      } else if (line.trim() !== "") {
        this.#read(line);
      }
    }
  };

  #read(line: string): void {
    let parsed: unknown;
    try {
      parsed = JSON.parse(line);
    } catch {
      this.#refuse(ErrorCode.ParseError, "This line is no JSON.");
      return;
    }
    // Protocol version 2025-03-26 lets a client send several messages as a list.
    for (const given of Array.isArray(parsed) ? parsed : [parsed]) this.#take(given);
  }

  #take(given: unknown): void {
    const message = JSONRPCMessageSchema.safeParse(given);
    if (message.success) {
      this.onmessage?.(message.data);
      return;
    }
    const request = withIdSchema.safeParse(given);
    this.#refuse(
      ErrorCode.InvalidRequest,
      "This is no JSON-RPC 2.0 message.",
      request.success ? request.data.id : undefined,
    );
  }

  #refuse(code: ErrorCode, message: string, id?: RequestId): void {
    this.onerror?.(new Error(message));
    const answer = { jsonrpc: "2.0" as const, error: { code, message } };
    this.send(id === undefined ? answer : { ...answer, id }).catch(this.#onBreak);
  }
}
