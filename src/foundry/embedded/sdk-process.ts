import { type ChildProcess, spawn } from "node:child_process";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import * as z from "zod";
import {
  cancelledError,
  deferred,
  systemCodeOf,
  TIMED_OUT,
  untilAborted,
  waitFor,
} from "../../lib/index.js";
import type { Logger } from "../../log.js";
import { OutputLines } from "../../platform/index.js";
import { crashed, notDownloaded, nowhere, refused, silent } from "./failures.js";

// The messages between the server and the child process, which imports only their types, so that it stays small.

/** Settings of the SDK, with its own names. */
export interface SdkSettings {
  readonly appName: string;
  readonly modelCacheDir: string;
  readonly logsDir: string;
  readonly logLevel: "warn";
}

export type ToChild =
  /** `entry` is the URL of the SDK's main module. */
  | { readonly kind: "start"; readonly entry: string; readonly settings: SdkSettings }
  | { readonly kind: "download"; readonly call: number; readonly id: string }
  | { readonly kind: "cancel"; readonly call: number }
  | { readonly kind: "stop" };

const message = z.string();

const fromChild = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("listening"), urls: z.array(z.string()) }),
  /** It could not start. `message` is the SDK's. */
  z.object({ kind: z.literal("failed"), message }),
  z.object({ kind: z.literal("progress"), call: z.int(), percent: z.number() }),
  z.object({ kind: z.literal("downloaded"), call: z.int() }),
  z.object({ kind: z.literal("download_failed"), call: z.int(), message }),
]);
export type FromChild = z.infer<typeof fromChild>;

export interface SdkProcessOptions {
  /** The program that hosts the SDK. */
  readonly file: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
}

interface Download {
  readonly id: string;
  readonly onPercent: (percent: number) => void;
  readonly ended: ReturnType<typeof deferred<void>>;
}

const START_TIMEOUT_MS = 60_000;
/** The limit of a graceful shutdown, which may hang in native code. */
const STOP_MS = 3000;
/** How long its output is read after its end. Another process may hold its pipes for ever. */
const LAST_OUTPUT_MS = 500;
/** The length of the last output that is kept, for the detail of an error. */
const TAIL_LENGTH = 4000;

/** The child process that hosts the SDK, from its start to its end. */
export class SdkProcess {
  /** Resolves when the process has ended, for whatever reason. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #log: Logger;
  readonly #downloads = new Map<number, Download>();
  /** Settles with the addresses at which it listens. */
  readonly #listening = deferred<readonly string[]>();
  #isEndExpected = false;
  /** The exit code or signal; `null` while it runs. */
  #end: string | null = null;
  #calls = 0;
  #tail = "";

  constructor({ file, environment, log }: SdkProcessOptions) {
    this.#log = log;
    this.#child = spawn(process.execPath, [file], {
      // Not inherited: native code prints to stdout, and our stdout is for the protocol.
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: environment,
      windowsHide: true,
    });
    this.#child.on("message", (message) => this.#receive(message));
    this.ended = this.#watchEnd();
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      // There are none where the system has no room for their pipes, whatever their type says.
      if (stream) this.#readOutput(stream);
    }
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
    try {
      this.#send({ kind: "start", entry, settings });
      const urls = await waitFor(this.#listening.promise, { withinMs: timeoutMs });
      if (urls === TIMED_OUT) throw silent(timeoutMs / 1000, this.#tail);
      const [url] = urls;
      if (url === undefined) throw nowhere(this.#tail);
      this.#keepUsAlive(false);
      return url.replace(/\/+$/, "");
    } catch (error) {
      this.#isEndExpected = true;
      this.#child.kill("SIGKILL");
      await this.ended;
      throw error;
    }
  }

  /** Downloads a model. An abort rejects at once; the SDK ends the download at its next check. */
  async download(
    id: string,
    signal: AbortSignal | undefined,
    onPercent: (percent: number) => void,
  ): Promise<void> {
    if (signal?.aborted) throw cancelledError();
    if (this.#end !== null) throw crashed(this.#end, "before a download", this.#tail);
    this.#calls += 1;
    const call = this.#calls;
    this.#keepUsAlive(true);
    try {
      const ended = deferred();
      this.#downloads.set(call, { id, onPercent, ended });
      this.#send({ kind: "download", call, id });
      await untilAborted(ended.promise, signal);
    } catch (error) {
      if (signal?.aborted) this.#send({ kind: "cancel", call });
      throw error;
    } finally {
      this.#downloads.delete(call);
      if (this.#downloads.size === 0) this.#keepUsAlive(false);
    }
  }

  /** Ends it, gracefully if it can. */
  async close(): Promise<void> {
    this.#isEndExpected = true;
    this.#send({ kind: "stop" });
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS);
    await this.ended;
    clearTimeout(timer);
  }

  #send(message: ToChild): void {
    // Errors are ignored: the end of the process is handled where it is watched.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  #receive(message: unknown): void {
    const parsed = fromChild.safeParse(message);
    if (parsed.success) this.#handle(parsed.data);
    else this.#log.warn({ message }, "the embedded service sent an unknown message");
  }

  #handle(message: FromChild): void {
    switch (message.kind) {
      case "listening":
        this.#listening.resolve(message.urls);
        break;
      case "failed":
        this.#listening.reject(refused(message.message, this.#tail));
        break;
      case "progress":
        this.#downloads.get(message.call)?.onPercent(message.percent);
        break;
      case "downloaded":
        this.#downloads.get(message.call)?.ended.resolve();
        break;
      case "download_failed": {
        const download = this.#downloads.get(message.call);
        download?.ended.reject(notDownloaded(download.id, message.message));
      }
    }
  }

  #readOutput(stream: Readable): void {
    // Errors are ignored: the end of the process is handled where it is watched.
    stream.on("error", () => {});
    const lines = new OutputLines((line) => {
      this.#tail = `${this.#tail}${line}\n`.slice(-TAIL_LENGTH);
      this.#log.debug({ line }, "embedded service");
    });
    stream.on("data", (bytes: Buffer) => lines.add(bytes));
    stream.once("end", () => lines.end());
  }

  async #watchEnd(): Promise<void> {
    const end = await new Promise<string>((resolve) => {
      this.#child.once("exit", (code, signal) => {
        const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
        this.#child.once("close", () => resolve(how));
        setTimeout(() => resolve(how), LAST_OUTPUT_MS);
      });
      // If the spawn failed there is no exit event. Later errors concern single messages.
      this.#child.on("error", (error) => {
        if (this.#child.pid === undefined) resolve(systemCodeOf(error) ?? error.name);
      });
    });
    this.#end = end;
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
    if (this.#isEndExpected) this.#log.debug({ end }, "the embedded service has ended");
    else this.#log.warn({ end }, "the embedded service has ended by itself");
    this.#listening.reject(crashed(end, "while it started", this.#tail));
    for (const { ended } of this.#downloads.values()) {
      ended.reject(crashed(end, "during a download", this.#tail));
    }
  }

  /**
   * Whether the child keeps our process alive, which it does while a call waits for it. A script that
   * has finished ends without closing the client, and the child ends with it.
   */
  #keepUsAlive(hold: boolean): void {
    const { stdout, stderr, channel } = this.#child;
    const pipes = [stdout, stderr].filter((stream) => stream instanceof Socket);
    for (const part of [this.#child, channel, ...pipes]) {
      if (hold) part?.ref();
      else part?.unref();
    }
  }
}
