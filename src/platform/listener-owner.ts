import { FILE_READ_MS, SOCKET_TABLE_BYTES } from "../lib/index.js";
import {
  pidsInNetstat,
  taskInTasklist,
  uidsInLsof,
  uidsInSocketTable,
  type WindowsTask,
} from "./listener-tables.js";
import type { Machine } from "./machine.js";
import { ownUid } from "./own-directory.js";
import { type ProgramRun, runProgram } from "./run-program.js";
import { readSmallFile } from "./small-file.js";
import { windowsProgram } from "./windows-program.js";

/** Whose program listens: this user's, another's (the system's, too), or the system does not show it. */
export type ListenerOwner = "own" | "other" | "unknown";

export interface Asked {
  readonly machine: Pick<Machine, "platform" | "environment">;
  /** Default: of this process. `null` where there are no user ids. */
  readonly uid?: number | null;
  readonly pid?: number;
  /** Default: the file's text, or `null`. */
  readonly readTable?: (file: string) => Promise<string | null>;
  readonly run?: (file: string, args: readonly string[]) => Promise<ProgramRun>;
  readonly signal?: AbortSignal | undefined;
}

/** For one program; `tasklist` asks each window for its title. */
const PROGRAM_MS = 3000;

/** Whose program a connection to a port of 127.0.0.1 reaches. Never rejects. */
export async function ownerOfListener(port: number, asked: Asked): Promise<ListenerOwner> {
  switch (asked.machine.platform) {
    case "linux":
      return ownerOnLinux(port, asked);
    case "darwin":
      return ownerOnMac(port, asked);
    case "win32":
      return ownerOnWindows(port, asked);
    default:
      return "unknown";
  }
}

/** If several may be reached, all have to be this user's. */
const ownerOf = (uids: readonly number[], own: number | null): ListenerOwner =>
  uids.length === 0 || own === null
    ? "unknown"
    : uids.every((uid) => uid === own)
      ? "own"
      : "other";

/** What is not in the tables listens outside of this container or virtual machine. */
async function ownerOnLinux(port: number, asked: Asked): Promise<ListenerOwner> {
  const read = asked.readTable ?? readTable;
  const tables = await Promise.all(["/proc/net/tcp", "/proc/net/tcp6"].map(read));
  const uids = tables.flatMap((table) => (table === null ? [] : uidsInSocketTable(table, port)));
  return ownerOf(uids, asked.uid === undefined ? ownUid() : asked.uid);
}

async function readTable(file: string): Promise<string | null> {
  const limits = { maxBytes: SOCKET_TABLE_BYTES, timeoutMs: FILE_READ_MS };
  const table = await readSmallFile(file, limits);
  return "text" in table ? table.text : null;
}

/** `lsof` shows a user only what is his own, and ends with 1 where that is nothing. */
async function ownerOnMac(port: number, asked: Asked): Promise<ListenerOwner> {
  const args = ["-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-F", "pun"];
  const { end, stdout, stderr } = await runOf(asked)("/usr/sbin/lsof", args);
  if (end.kind !== "exited" || end.code === null || end.code > 1) return "unknown";
  const uids = uidsInLsof(stdout, port);
  if (uids.length === 0) return stdout.trim() === "" && stderr.trim() === "" ? "other" : "unknown";
  return ownerOf(uids, asked.uid === undefined ? ownUid() : asked.uid);
}

async function ownerOnWindows(port: number, asked: Asked): Promise<ListenerOwner> {
  const system = (name: string): string => windowsProgram(name, asked.machine.environment);
  const run = runOf(asked);
  const sockets = await run(system("netstat.exe"), ["-ano"]);
  const pids = new Set(pidsInNetstat(sockets.stdout, port));
  if (pids.size === 0) return "unknown";
  const taskOf = async (pid: number): Promise<WindowsTask | null> => {
    const args = ["/V", "/FO", "CSV", "/NH", "/FI", `PID eq ${pid}`];
    return taskInTasklist((await run(system("tasklist.exe"), args)).stdout, pid);
  };
  const [own, ...others] = await Promise.all([asked.pid ?? process.pid, ...pids].map(taskOf));
  const owners = others.map((other) => ownerOfTask(other, own ?? null));
  return owners.find((owner) => owner !== "own") ?? "own";
}

/** The user of a process with more rights is not shown, be it the same one; in his session it may be. */
function ownerOfTask(task: WindowsTask | null, own: WindowsTask | null): ListenerOwner {
  if (task === null || own === null || own.user === null) return "unknown";
  if (task.user !== null) return task.user === own.user ? "own" : "other";
  return task.session === own.session ? "unknown" : "other";
}

const runOf = (asked: Asked): NonNullable<Asked["run"]> =>
  asked.run ??
  ((file, args) => runProgram(file, args, { timeoutMs: PROGRAM_MS, signal: asked.signal }));
