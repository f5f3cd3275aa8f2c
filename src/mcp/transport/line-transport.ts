import type { Readable, Writable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { CancelledNotificationSchema } from "@modelcontextprotocol/core";
import {
  type JSONRPCMessage,
  ProtocolErrorCode,
  type RequestId,
  type Transport,
} from "@modelcontextprotocol/server";
import {
  ANONYMOUS_PERIOD_MS,
  LAST_LINES_MS,
  LONGEST_LINE,
  MOST_ANONYMOUS_REFUSALS,
  MOST_IN_FLIGHT,
  MOST_INPUT_WAITING,
  MOST_OUTPUT_WAITING,
  portableJson,
  WAITING_LINE,
} from "../../lib/index.js";
import { answerOf, type Reading, type Refusal, readingsOf } from "./json-rpc.js";
import { RateLimit } from "./rate-limit.js";

const TOO_LONG: Refusal = {
  code: ProtocolErrorCode.InvalidRequest,
  message: "The message is too long.",
};

/**
 * MCP over a pair of streams, one JSON message a line. Unlike the SDK's `StdioServerTransport` it
 * closes when the input ends or the output breaks, answers what it cannot read instead of leaving the
 * caller to wait, survives a line that is too long, and begins nothing new while the host does not read.
 */
export class LineTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #input: Readable;
  readonly #output: Writable;
  readonly #lines: LineSplitter;
  readonly #waiting = new InputQueue();
  readonly #open = new OpenRequests();
  readonly #anonymous = new RateLimit(MOST_ANONYMOUS_REFUSALS, ANONYMOUS_PERIOD_MS);
  #isWorking = false;
  #hasEnded = false;
  #isClosed = false;
  #wake = (): void => {};

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
    // Never removed: a pipe may report its end long after its last use.
    this.#output.on("error", this.#onBreak);
    this.#output.on("drain", () => this.#wake());
  }

  async send(message: JSONRPCMessage): Promise<void> {
    // Outdated by the time the host reads; another one follows.
    const isProgress = "method" in message && message.method === "notifications/progress";
    if (isProgress && this.#isFull) return;
    const line = lineOf(message);
    if (!("method" in message)) this.#open.answered(message.id);
    this.#wake();
    await new Promise<void>((resolve, reject) => {
      this.#output.write(line, (error) => {
        this.#wake();
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
    this.#waiting.clear();
    this.#wake();
    this.onclose?.();
  }

  /** Whether the host leaves more unread than may wait. */
  get #isFull(): boolean {
    return this.#output.writableLength > MOST_OUTPUT_WAITING;
  }

  get #hasRoom(): boolean {
    return !this.#isFull && this.#open.size < MOST_IN_FLIGHT;
  }

  /** What came before the end is still taken, unless nothing can be answered now: the host is gone. */
  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    if (!this.#isWorking || !this.#hasRoom) void this.close();
    else setTimeout(() => void this.close(), LAST_LINES_MS).unref();
  };

  readonly #onBreak = (error: Error): void => {
    if (!this.#isClosed) this.onerror?.(error);
    void this.close();
  };

  readonly #onData = (chunk: Buffer): void => {
    for (const line of this.#lines.push(chunk)) {
      if (line === null || line.trim() !== "") this.#waiting.add(line);
    }
    // Up to this bound it is read on, since only reading shows that the host has closed its end.
    if (this.#waiting.length > MOST_INPUT_WAITING) this.#input.pause();
    if (!this.#isWorking) void this.#work();
  };

  /** Takes one message after the other; what else is to be done is done between two of them. */
  async #work(): Promise<void> {
    this.#isWorking = true;
    for (let line = this.#waiting.next(); line !== undefined; line = this.#waiting.next()) {
      for (const reading of line === null ? [{ refusal: TOO_LONG }] : readingsOf(line)) {
        this.#take(reading);
        await setImmediate();
        await this.#room();
        if (this.#isClosed) return;
      }
      if (this.#input.isPaused() && this.#waiting.length <= MOST_INPUT_WAITING) {
        this.#input.resume();
      }
    }
    this.#isWorking = false;
    if (this.#hasEnded) await this.close();
  }

  async #room(): Promise<void> {
    while (!this.#hasRoom && !this.#isClosed) {
      if (this.#hasEnded) return this.close();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #take(reading: Reading): void {
    if ("refusal" in reading) {
      this.onerror?.(new Error(reading.refusal.message));
      // Without an id no caller waits for it.
      if (reading.refusal.id === undefined && !this.#anonymous.take()) return;
      this.send(answerOf(reading.refusal)).catch(this.#onBreak);
      return;
    }
    this.#open.note(reading.message);
    this.onmessage?.(reading.message);
  }
}

const NEWLINE = 0x0a;

/** Cuts bytes into lines, and only then makes text of them: a character may come in two chunks. */
class LineSplitter {
  readonly #longest: number;
  #parts: Buffer[] = [];
  #length = 0;
  #isFirst = true;

  /** @param longest Bytes of a line; of one that is longer nothing is kept. */
  constructor(longest: number) {
    this.#longest = longest;
  }

  /** Takes the next bytes; yields the lines they complete, `null` for one too long. */
  *push(chunk: Buffer): Generator<string | null, void> {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      this.#keep(chunk.subarray(from, at));
      from = at + 1;
      yield this.#takeLine();
    }
    this.#keep(chunk.subarray(from));
  }

  #keep(part: Buffer): void {
    this.#length += part.length;
    if (this.#isTooLong) this.#parts = [];
    else this.#parts.push(part);
  }

  /** The rest of a line that grew too long is skipped. */
  get #isTooLong(): boolean {
    return this.#length > this.#longest;
  }

  #takeLine(): string | null {
    const text = this.#isTooLong ? null : Buffer.concat(this.#parts).toString("utf8");
    // Shells of Windows put a byte order mark before what they pipe.
    const line = this.#isFirst ? (text?.replace(/^\ufeff/, "") ?? null) : text;
    this.#isFirst = false;
    this.#parts = [];
    this.#length = 0;
    return line;
  }
}

/** Lines that wait for their turn; `null` stands for one that was too long. */
class InputQueue {
  /** The first one last: a line costs the same however many wait, and is not kept once it is taken. */
  #next: (string | null)[] = [];
  #added: (string | null)[] = [];
  #length = 0;

  /** How much waits, each line with what it takes besides its text. */
  get length(): number {
    return this.#length;
  }

  add(line: string | null): void {
    this.#added.push(line);
    this.#length += sizeOf(line);
  }

  next(): string | null | undefined {
    if (this.#next.length === 0) {
      this.#next = this.#added.reverse();
      this.#added = [];
    }
    const line = this.#next.pop();
    if (line !== undefined) this.#length -= sizeOf(line);
    return line;
  }

  clear(): void {
    this.#next = [];
    this.#added = [];
    this.#length = 0;
  }
}

const sizeOf = (line: string | null): number => WAITING_LINE + (line?.length ?? 0);

/** Counts the requests of a host that are to be answered. One that is cancelled gets no answer. */
class OpenRequests {
  /** A host may use an id twice; both are answered. */
  readonly #ids: RequestId[] = [];

  get size(): number {
    return this.#ids.length;
  }

  /** A message of the host: a request, or the cancellation of one. */
  note(message: JSONRPCMessage): void {
    if ("method" in message && "id" in message) {
      this.#ids.push(message.id);
      return;
    }
    const id = CancelledNotificationSchema.safeParse(message).data?.params.requestId;
    this.answered(id);
  }

  answered(id: RequestId | undefined): void {
    const at = id === undefined ? -1 : this.#ids.indexOf(id);
    if (at >= 0) this.#ids.splice(at, 1);
  }
}

/** A message as its line. An answer that cannot be serialized becomes a failure under its id. */
export const lineOf = (message: JSONRPCMessage): string => `${portableJson(jsonOf(message))}\n`;

function jsonOf(message: JSONRPCMessage): string {
  try {
    return JSON.stringify(message);
  } catch (thrown) {
    if ("method" in message || message.id === undefined) throw thrown;
    const what = "The answer could not be serialized as JSON, which is a bug in foundry-local-mcp.";
    return JSON.stringify(
      answerOf({ code: ProtocolErrorCode.InternalError, message: what, id: message.id }),
    );
  }
}
