import { type ChildProcess, spawn } from "node:child_process";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { cancelledError, onAbort } from "../../lib/index.js";
import type { Logger } from "../../log.js";
import { OutputLines } from "../../platform/index.js";
import { crashed, notDownloaded, nowhere, refused, silent } from "./failures.js";
import { type FromChild, fromChild, type SdkSettings, type ToChild } from "./messages.js";

export interface SdkProcessOptions {
  /** The program that hosts the SDK. */
  readonly file: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
}

interface Waiting<T> {
  resolve(value: T): void;
  reject(reason: Error): void;
}
interface Download extends Waiting<void> {
  readonly id: string;
  readonly onPercent: (percent: number) => void;
}

const START_TIMEOUT_MS = 60_000;
/** Asked politely it ends within this, or is ended. Its native shutdown may hang. */
const STOP_MS = 3000;
/** After its end, how long its last words may take; others may hold its pipes for ever. */
const LAST_WORDS_MS = 500;
/** What is kept of its output, for the detail of an error. */
const TAIL_LENGTH = 4000;

/** The child process that hosts the SDK, from its start to its end. */
export class SdkProcess {
  /** Settles when the process has ended, whoever ended it. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #log: Logger;
  readonly #downloads = new Map<number, Download>();
  #start: Waiting<readonly string[]> | null = null;
  #isToEnd = false;
  /** How it ended. */
  #end: string | null = null;
  #calls = 0;
  #tail = "";

  constructor({ file, environment, log }: SdkProcessOptions) {
    this.#log = log;
    this.#child = spawn(process.execPath, [file], {
      // stdout as well goes through us: native code prints there, and ours is the protocol's.
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: environment,
      windowsHide: true,
    });
    this.#child.on("message", (message) => this.#take(message));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream !== null) this.#read(stream);
    }
    this.ended = this.#watchForEnd();
  }

  get isRunning(): boolean {
    const { pid, exitCode, signalCode } = this.#child;
    return pid !== undefined && exitCode === null && signalCode === null;
  }

  /**
   * Starts the web service; resolves with its base URL.
   *
   * @throws FoundryError `EMBEDDED_FAILED`; the process has ended then.
   */
  async listen(
    entry: string,
    settings: SdkSettings,
    timeoutMs = START_TIMEOUT_MS,
  ): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    try {
      const [url] = await new Promise<readonly string[]>((resolve, reject) => {
        this.#start = { resolve, reject };
        timer = setTimeout(() => reject(silent(timeoutMs / 1000, this.#tail)), timeoutMs);
        this.#send({ kind: "start", entry, settings });
      });
      if (url === undefined) throw nowhere(this.#tail);
      this.#holdOurs(false);
      return url.replace(/\/+$/, "");
    } catch (error) {
      this.#isToEnd = true;
      this.#child.kill("SIGKILL");
      await this.ended;
      throw error;
    } finally {
      clearTimeout(timer);
      this.#start = null;
    }
  }

  /** Downloads a model. An abort rejects at once, and ends the download when the SDK next looks. */
  async download(
    id: string,
    signal: AbortSignal | undefined,
    onPercent: (percent: number) => void,
  ): Promise<void> {
    if (signal?.aborted) throw cancelledError();
    if (this.#end !== null) throw crashed(this.#end, "before a download", this.#tail);
    this.#calls += 1;
    const call = this.#calls;
    let stopListening = () => {};
    this.#holdOurs(true);
    try {
      await new Promise<void>((resolve, reject) => {
        if (signal !== undefined) {
          stopListening = onAbort(signal, () => {
            this.#send({ kind: "cancel", call });
            reject(cancelledError());
          });
        }
        this.#downloads.set(call, { id, onPercent, resolve, reject });
        this.#send({ kind: "download", call, id });
      });
    } finally {
      stopListening();
      this.#downloads.delete(call);
      if (this.#downloads.size === 0) this.#holdOurs(false);
    }
  }

  /** Ends it, politely at first. */
  async close(): Promise<void> {
    this.#isToEnd = true;
    this.#send({ kind: "stop" });
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS);
    await this.ended;
    clearTimeout(timer);
  }

  #send(message: ToChild): void {
    // The end of the process is what tells that it does not hear any more.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  #take(message: unknown): void {
    const parsed = fromChild.safeParse(message);
    if (parsed.success) this.#handle(parsed.data);
    else this.#log.warn({ message }, "the embedded service said what is not understood");
  }

  #handle(message: FromChild): void {
    switch (message.kind) {
      case "listening":
        this.#start?.resolve(message.urls);
        break;
      case "failed":
        this.#start?.reject(refused(message.words, this.#tail));
        break;
      case "progress":
        this.#downloads.get(message.call)?.onPercent(message.percent);
        break;
      case "downloaded":
        this.#downloads.get(message.call)?.resolve();
        break;
      case "download_failed": {
        const download = this.#downloads.get(message.call);
        download?.reject(notDownloaded(download.id, message.words));
      }
    }
  }

  #read(stream: Readable): void {
    // What breaks here is the process, and its end tells.
    stream.on("error", () => {});
    const lines = new OutputLines((line) => {
      this.#tail = `${this.#tail}${line}\n`.slice(-TAIL_LENGTH);
      this.#log.debug({ line }, "embedded service");
    });
    stream.on("data", (bytes: Buffer) => lines.add(bytes));
    stream.once("end", () => lines.end());
  }

  async #watchForEnd(): Promise<void> {
    const end = await new Promise<string>((resolve) => {
      this.#child.once("exit", (code, signal) => {
        const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
        this.#child.once("close", () => resolve(how));
        setTimeout(() => resolve(how), LAST_WORDS_MS);
      });
      // Without a process there is no exit. Later errors are of single messages.
      this.#child.on("error", (error) => {
        if (this.#child.pid === undefined) resolve(error.message);
      });
    });
    this.#end = end;
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
    if (this.#isToEnd) this.#log.debug({ end }, "the embedded service has ended");
    else this.#log.warn({ end }, "the embedded service has ended by itself");
    this.#start?.reject(crashed(end, "while it started", this.#tail));
    for (const download of this.#downloads.values()) {
      download.reject(crashed(end, "during a download", this.#tail));
    }
  }

  /**
   * Whether our process lives on for this one: while something is waited for. It ends with ours, so
   * a script that has done its work need not close what it does not know of.
   */
  #holdOurs(hold: boolean): void {
    const { stdout, stderr, channel } = this.#child;
    const pipes = [stdout, stderr].filter((stream) => stream instanceof Socket);
    for (const part of [this.#child, channel, ...pipes]) {
      if (hold) part?.ref();
      else part?.unref();
    }
  }
}
