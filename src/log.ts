import { writeSync } from "node:fs";
import { pino } from "pino";
import {
  escapeUnprintable,
  type LogLevel,
  portableJson,
  SecretMask,
  systemCodeOf,
} from "./lib/index.js";
import { unblock } from "./platform/index.js";

/** The part of pino that this package uses; any pino logger fits. */
export interface Logger {
  trace(fields: object, message: string): void;
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Fields that are never written. Those that lie deeper are hidden by their values, see {@link createLogger}. */
const SECRET_KEYS = ["apiKey", "authorization", "Authorization", "headers", "FOUNDRY_API_KEY"];

/** Unread lines above which further ones are dropped, in bytes. */
const MOST_WAITING_BYTES = 1024 * 1024;
/** Pause between two tries to write to a full stderr. */
const RETRY_MS = 20;
/** At exit: the longest wait without a byte written, and the longest in all. */
const LAST_SILENCE_MS = 200;
const LAST_WORDS_MS = 1000;

/**
 * Writes to stderr without waiting for its reader: a host may keep the pipe and never read it, and a
 * write that blocks, in this thread or in one of libuv's, would block every call and the exit. Lines
 * that do not fit into the pipe wait here, up to a bound. Lines above the bound are dropped.
 *
 * `process.stderr.write` is not used, because `process.exit()` loses what it holds. A pipe on Windows is
 * the exception: nothing else writes to it without blocking.
 */
class StderrLines {
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | null = null;
  #isGone = false;
  /** Whether it is a pipe on Windows, which takes no write without blocking. */
  readonly #isQueued: boolean;
  #isWriting = false;
  #onWritten: (() => void) | null = null;

  constructor() {
    // The first access to process.stderr makes Node set a pipe to non-blocking (on Windows, pipes stay blocking).
    if (process.stderr.destroyed) this.#isGone = true;
    this.#isQueued = unblock(process.stderr);
    if (this.#isQueued) process.stderr.on("error", () => this.#giveUp());
    process.on("exit", () => this.#flushAtExit());
  }

  write(line: string): void {
    if (this.#isGone) return;
    if (this.#waitingBytes > MOST_WAITING_BYTES) {
      this.#send();
      if (this.#waitingBytes > MOST_WAITING_BYTES) {
        this.#dropped += 1;
        return;
      }
    }
    this.#noteDropped();
    this.#add(line);
    this.#send();
  }

  #add(line: string): void {
    const bytes = Buffer.from(line);
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  /** Logs how many lines were dropped. */
  #noteDropped(): void {
    if (this.#dropped === 0) return;
    const count = this.#dropped;
    this.#dropped = 0;
    const msg = `stderr was not read; ${count} lines are missing here`;
    this.#add(`${JSON.stringify({ level: 40, time: Date.now(), pid: process.pid, msg })}\n`);
  }

  /** Resolves when stderr has taken all lines, and after a while in any case. */
  async written(): Promise<void> {
    // Elsewhere the exit itself waits for that.
    if (!this.#isQueued || this.#waitingBytes === 0 || this.#isGone) return;
    await new Promise<void>((resolve) => {
      this.#onWritten = resolve;
      setTimeout(resolve, LAST_SILENCE_MS);
    });
  }

  /** Sends what stderr takes now; the rest later, without holding the process. */
  #send(): void {
    if (this.#isQueued) {
      this.#sendQueued();
      return;
    }
    try {
      for (;;) {
        const [next] = this.#waiting;
        if (next === undefined) return;
        const taken = writeSync(2, next);
        this.#waitingBytes -= taken;
        if (taken === next.length) this.#waiting.shift();
        else this.#waiting[0] = next.subarray(taken);
      }
    } catch (error) {
      if (!isFull(error)) this.#giveUp();
      else this.#timer ??= setTimeout(() => this.#sendAgain(), RETRY_MS).unref();
    }
  }

  /** One write at a time, of all that waits: what Node does not have yet can still be dropped. */
  #sendQueued(): void {
    if (this.#isWriting || this.#waiting.length === 0) return;
    const all = Buffer.concat(this.#waiting.splice(0));
    this.#isWriting = true;
    process.stderr.write(all, () => {
      this.#isWriting = false;
      this.#waitingBytes = Math.max(0, this.#waitingBytes - all.length);
      this.#send();
      if (this.#waitingBytes === 0) this.#onWritten?.();
    });
  }

  #sendAgain(): void {
    this.#timer = null;
    this.#send();
  }

  /** The stream is broken, so neither the line nor this failure can be reported. */
  #giveUp(): void {
    this.#isGone = true;
    this.#onWritten?.();
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
  }

  /** Waits, since the last line explains the exit. */
  #flushAtExit(): void {
    const sleeper = new Int32Array(new SharedArrayBuffer(4));
    if (this.#isQueued) {
      // A thread of the system has the write that is under way; further ones need the event loop.
      if (this.#isWriting) Atomics.wait(sleeper, 0, 0, LAST_SILENCE_MS);
      return;
    }
    this.#noteDropped();
    const begin = performance.now();
    let progressAt = begin;
    for (;;) {
      const before = this.#waitingBytes;
      this.#send();
      if (this.#waitingBytes === 0) return;
      const now = performance.now();
      if (this.#waitingBytes < before) progressAt = now;
      if (now - progressAt > LAST_SILENCE_MS || now - begin > LAST_WORDS_MS) return;
      Atomics.wait(sleeper, 0, 0, 5);
    }
  }
}

const isFull = (error: unknown): boolean => ["EAGAIN", "EBUSY"].includes(systemCodeOf(error) ?? "");

/** JSON escapes only C0 controls by itself; a terminal obeys some others, too. */
const harmless = (line: string, secrets: SecretMask): string =>
  `${escapeUnprintable(portableJson(secrets.hide(line.trimEnd())))}\n`;

/** One for the process, however many loggers there are: lines must not be cut by each other. */
let stderrLines: StderrLines | null = null;

/**
 * JSON lines on stderr. stdout belongs to the protocol, so there is no option to log there.
 * Never waits for stderr to be read, see {@link StderrLines}.
 *
 * @param secrets Hidden in each line, wherever they stand in it.
 */
export function createLogger(level: LogLevel, secrets = new SecretMask([])): Logger {
  stderrLines ??= new StderrLines();
  const lines = stderrLines;
  return pino(
    {
      level,
      base: { pid: process.pid },
      // Without wildcards, since pino parses each of those for each field of each line.
      redact: { paths: SECRET_KEYS, censor: "(secret)" },
    },
    { write: (line: string) => lines.write(harmless(line, secrets)) },
  );
}

/**
 * Resolves when what was logged has been written, or when stderr took nothing for a while: to be waited
 * for before `process.exit()`, which loses lines on Windows.
 */
export async function logWritten(): Promise<void> {
  await stderrLines?.written();
}

/** Logs nothing: the default of the library. */
export const silentLogger: Logger = {
  trace: () => {},
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
};
