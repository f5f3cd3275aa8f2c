import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { removeFolder } from "../temporary-folder.js";
import { realDirectory } from "./lines.js";

const startSeconds = 60;
// serve.py gives the native shutdown 3 seconds.
const stopMilliseconds = 6_000;
const runs = join(realDirectory, "runs");

/** A program that tests use over HTTP. Its standard input stays open as long as this process lives. */
export interface Child {
  readonly pid: number;
  /** The first line of its standard output, which says that it is ready; empty with `isReady`. */
  readonly firstLine: string;
  /** The lines of its standard output so far. */
  readonly lines: readonly string[];
  /** Settles when the process has ended, for whatever reason. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

export interface ChildOptions {
  /** Its name in messages and in the name of its folder. */
  readonly name: string;
  readonly command: string;
  /** Its arguments, given the folder that it may write to. */
  readonly args: (folder: string) => readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
  /** Resolves when it is ready, for programs that write no line. */
  readonly isReady?: () => Promise<void>;
}

/** Starts a program and waits for its first line. Its folder goes when it stops. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, command, args } = options;
  await mkdir(runs, { recursive: true });
  const folder = await mkdtemp(join(runs, `${process.pid}-${name}-`));
  const logPath = join(folder, "output.log");
  const log = openSync(logPath, "a");
  const child = spawn(command, args(folder), {
    stdio: ["pipe", "pipe", log],
    env: { ...environmentIn(folder), ...options.environment },
  });
  closeSync(log);
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  const stop = async () => {
    child.stdin?.end();
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), stopMilliseconds);
    await ended;
    clearTimeout(timer);
    await removeFolder(folder);
  };
  const tooLate = setTimeout(() => child.kill("SIGKILL"), startSeconds * 1_000);
  const lines: string[] = [];
  const line = new Promise<string>((resolve) => {
    const { isReady } = options;
    if (isReady !== undefined) void isReady().then(() => resolve(""));
    if (child.stdout === null) return;
    createInterface({ input: child.stdout }).on("line", (text) => {
      lines.push(text);
      if (isReady === undefined) resolve(text);
    });
  });
  const firstLine = await Promise.race([line, ended.then(() => undefined)]);
  clearTimeout(tooLate);
  if (firstLine === undefined || child.pid === undefined) {
    const text = await readFile(logPath, "utf8");
    await stop();
    throw new Error(`${name} did not start. It wrote:\n${text.slice(-2_000)}`);
  }
  return { pid: child.pid, firstLine, lines, ended, stop };
}

/** The environment keeps the program from the user's files, and from any host but loopback. */
function environmentIn(folder: string): NodeJS.ProcessEnv {
  const { PATH } = process.env;
  const nowhere = "http://127.0.0.1:1";
  return {
    PATH,
    HOME: folder,
    LANG: "C.UTF-8",
    PYTHONDONTWRITEBYTECODE: "1",
    HTTP_PROXY: nowhere,
    HTTPS_PROXY: nowhere,
    NO_PROXY: "127.0.0.1,localhost",
  };
}

/** The names of folders begin with the process id of their creator; those of ended processes are removed. */
export async function removeAbandonedRuns(): Promise<void> {
  await mkdir(runs, { recursive: true });
  for (const name of await readdir(runs)) {
    if (!isRunning(Number.parseInt(name, 10))) {
      await removeFolder(join(runs, name));
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // ESRCH: no such process. EPERM cannot happen to a process of the same user.
    return false;
  }
}
