import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { getDefaultEnvironment } from "@modelcontextprotocol/sdk/client/stdio.js";

/** The built executable that a host starts. */
export const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

if (!existsSync(MAIN)) throw new Error("dist/main.js is not built: run `npm run build` first");

/** A home without the developer's files: the server stores the speeds of models there. */
const HOME = mkdtempSync(join(process.env["TEST_HOMES"] ?? tmpdir(), "home-"));

/** Settings of one process, as its environment. */
export type Settings = Readonly<Record<string, string>>;

/**
 * The part of its environment that a host passes on, without the developer's settings. No keeper is
 * started, since it would outlive the test: `keeper.long.test.ts` has keepers of its own.
 */
export const environmentWith = (settings: Settings): Record<string, string> => ({
  ...getDefaultEnvironment(),
  HOME,
  USERPROFILE: HOME,
  FOUNDRY_KEEP: "never",
  ...settings,
});

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** `performance.now()` of the end. */
  readonly at: number;
}

/** A run of the executable with its pipes, for what the SDK's client hides. */
export class Executable {
  stdout = "";
  stderr = "";
  /** Settles when the process has ended and all it wrote is here. */
  readonly ended: Promise<Exit>;
  protected readonly child: ChildProcess;

  /** @param cwd The folder that a host starts it in. */
  constructor(args: readonly string[], settings: Settings = {}, cwd?: string) {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd,
      env: environmentWith(settings),
      stdio: "pipe",
      // A process group of its own shows what it leaves behind.
      detached: process.platform !== "win32",
    });
    this.child = child;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      this.heard();
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      this.heard();
    });
    // The process may have ended before the write.
    child.stdin.on("error", () => {});
    this.ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => resolve({ code, signal, at: performance.now() }));
    });
    void this.ended.then(
      () => this.heard(),
      () => {},
    );
  }

  get pid(): number {
    const { pid } = this.child;
    if (pid === undefined) throw new Error("the executable did not start");
    return pid;
  }

  get stderrLines(): string[] {
    return this.stderr.split("\n").filter((line) => line !== "");
  }

  write(text: string): void {
    this.child.stdin?.write(text);
  }

  /** Resolves when the pipe has taken them, so that what follows is another chunk. */
  writeBytes(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.child.stdin?.write(bytes, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }

  endInput(): void {
    this.child.stdin?.end();
  }

  /** Stops reading the pipe, as a busy or hanging host. */
  pauseOutput(): void {
    this.child.stdout?.pause();
  }

  resumeOutput(): void {
    this.child.stdout?.resume();
  }

  /** The exit code, without waiting until what the process wrote has been read. */
  exitCode(): Promise<number | null> {
    const { child } = this;
    if (child.exitCode !== null) return Promise.resolve(child.exitCode);
    return new Promise((resolve) => child.once("exit", (code) => resolve(code)));
  }

  /** Closes its end of stdout, as a host that stops reading. */
  closeOutput(): void {
    this.child.stdout?.destroy();
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** Ends the process in any state. */
  async destroy(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill("SIGKILL");
    await this.ended;
  }

  readonly #waiting = new Set<() => void>();

  /** Resolves when the predicate returns a value; it is called again at each output. */
  when<T>(what: string, predicate: () => T | undefined, timeoutMs = 60_000): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(check);
      };
      const check = (): void => {
        const value = predicate();
        if (value === undefined) return;
        stop();
        resolve(value);
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`${what} did not come within ${timeoutMs} ms. stderr:\n${this.stderr}`));
      }, timeoutMs);
      this.#waiting.add(check);
      check();
    });
  }

  protected heard(): void {
    for (const check of [...this.#waiting]) check();
  }
}

/** Runs a command to its end. */
export async function run(
  args: readonly string[],
  settings: Settings = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const executable = new Executable(args, settings);
  executable.endInput();
  const { code } = await executable.ended;
  return { code, stdout: executable.stdout, stderr: executable.stderr };
}
