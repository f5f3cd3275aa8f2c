import { spawn } from "node:child_process";

/**
 * Whether something harmless has to be the first program that we start. On Windows a process and its
 * children share a job. When the first program put into it is one of the Store, as Foundry Local is,
 * Windows refuses to put the next one into it, and libuv before 1.47 (Node 20) aborts the whole process
 * for that. Later versions put our own process into it first.
 */
export function needsFirstChild(platform: NodeJS.Platform, libuv: string | undefined): boolean {
  if (platform !== "win32" || libuv === undefined) return false;
  const [major = 0, minor = 0] = libuv.split(".").map(Number);
  return major < 1 || (major === 1 && minor < 47);
}

let started: Promise<void> | null = null;

/** Once, where it is needed: Node says its version, in some 50 ms. */
export function firstChildStarted(): Promise<void> {
  started ??= needsFirstChild(process.platform, process.versions.uv)
    ? harmless()
    : Promise.resolve();
  return started;
}

const harmless = (): Promise<void> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, ["--version"], { stdio: "ignore", windowsHide: true });
    child.once("error", () => resolve());
    child.once("exit", () => resolve());
  });
