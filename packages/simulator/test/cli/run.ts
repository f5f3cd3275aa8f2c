import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { FoundryCliStandIn } from "../../src/index.js";

export interface Run {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Buffer;
}

/** Starts the stand-in as any program would start a `foundry`. */
export function spawned(cli: FoundryCliStandIn, args: readonly string[]): ChildProcess {
  return process.platform === "win32"
    ? spawn(process.execPath, [cli.script, ...args], { stdio: ["ignore", "pipe", "pipe"] })
    : spawn(cli.path, [...args], { stdio: ["ignore", "pipe", "pipe"] });
}

/** What a stream has brought so far, and a way to wait for more. */
export function collected(child: ChildProcess) {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on("data", (bytes: Buffer) => stdout.push(bytes));
  child.stderr?.on("data", (bytes: Buffer) => stderr.push(bytes));
  const text = () => Buffer.concat(stdout).toString();
  return {
    stdout: text,
    stderr: () => Buffer.concat(stderr).toString(),
    bytes: () => Buffer.concat(stdout),
    async until(part: string): Promise<void> {
      while (!text().includes(part) && child.stdout !== null) await once(child.stdout, "data");
    },
  };
}

/** Runs it to its end, with all that was written. */
export async function run(cli: FoundryCliStandIn, ...args: readonly string[]): Promise<Run> {
  const child = spawned(cli, args);
  const output = collected(child);
  await once(child, "close");
  return {
    code: child.exitCode,
    signal: child.signalCode,
    stdout: output.stdout(),
    stderr: output.stderr(),
    bytes: output.bytes(),
  };
}
