import { SOCKET_TABLE_BYTES } from "../lib/index.js";
import { readSmallFile } from "./file-reads.js";
import type { Machine } from "./machine.js";
import { ownUid } from "./own-directory.js";
import { windowsProgram } from "./paths.js";
import { type ProgramRun, runProgram } from "./run-program.js";

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
function ownerOf(uids: readonly number[], { uid: own = ownUid() }: Asked): ListenerOwner {
  if (uids.length === 0 || own === null) return "unknown";
  return uids.every((uid) => uid === own) ? "own" : "other";
}

/** What is not in the tables listens outside of this container or virtual machine. */
async function ownerOnLinux(port: number, asked: Asked): Promise<ListenerOwner> {
  const read = asked.readTable ?? readTable;
  const tables = await Promise.all(["/proc/net/tcp", "/proc/net/tcp6"].map(read));
  const uids = tables.flatMap((table) => (table === null ? [] : uidsInSocketTable(table, port)));
  return ownerOf(uids, asked);
}

async function readTable(file: string): Promise<string | null> {
  const table = await readSmallFile(file, { maxBytes: SOCKET_TABLE_BYTES });
  return "text" in table ? table.text : null;
}

/** `lsof` shows only the processes of its user, and ends with 1 where there are none. */
async function ownerOnMac(port: number, asked: Asked): Promise<ListenerOwner> {
  const args = ["-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-F", "pun"];
  const { end, stdout, stderr } = await runOf(asked)("/usr/sbin/lsof", args);
  if (end.kind !== "exited" || end.code === null || end.code > 1) return "unknown";
  const uids = uidsInLsof(stdout, port);
  if (uids.length === 0) return stdout.trim() === "" && stderr.trim() === "" ? "other" : "unknown";
  return ownerOf(uids, asked);
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

/** The user of a process with more rights is not shown, even if it is this one; then the session is compared. */
function ownerOfTask(task: WindowsTask | null, own: WindowsTask | null): ListenerOwner {
  if (task === null || own === null || own.user === null) return "unknown";
  if (task.user !== null) return task.user === own.user ? "own" : "other";
  return task.session === own.session ? "unknown" : "other";
}

const runOf = (asked: Asked): NonNullable<Asked["run"]> =>
  asked.run ??
  ((file, args) => runProgram(file, args, { timeoutMs: PROGRAM_MS, signal: asked.signal }));

// What systems print about the sockets that listen, and whose they are. Each function takes the text of
// one system, and finds the listeners that a connection to 127.0.0.1 may reach.

/** The address of `127.0.0.1` and of "all", as Linux and the others write them. */
const LINUX_LOOPBACK = new Set([
  "0100007F",
  "00000000",
  // `::`, `::ffff:127.0.0.1` and `::ffff:0.0.0.0`: four words, each with its bytes turned round.
  "00000000000000000000000000000000",
  "0000000000000000FFFF00000100007F",
  "0000000000000000FFFF000000000000",
]);
const WRITTEN_LOOPBACK = new Set([
  "127.0.0.1",
  "0.0.0.0",
  "*",
  "localhost",
  "[::]",
  "[::ffff:127.0.0.1]",
  "[::ffff:0.0.0.0]",
]);
const LINUX_LISTENS = "0A";

/** User ids of those that listen, from `/proc/net/tcp` or `/proc/net/tcp6`. */
export function uidsInSocketTable(table: string, port: number): number[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  return table.split("\n").flatMap((line) => {
    const [, local = "", , state, , , , uid] = line.trim().split(/\s+/);
    const [address = "", ownPort] = local.split(":");
    const listens = state === LINUX_LISTENS && ownPort === wanted && LINUX_LOOPBACK.has(address);
    return listens && uid !== undefined && /^\d+$/.test(uid) ? [Number(uid)] : [];
  });
}

/** User ids of those that listen, from `lsof -F pun`: a line for each fact, marked by its first letter. */
export function uidsInLsof(output: string, port: number): number[] {
  const uids: number[] = [];
  let uid: number | null = null;
  for (const line of output.split(/\r?\n/)) {
    const value = line.slice(1);
    if (line.startsWith("p")) uid = null;
    else if (line.startsWith("u") && /^\d+$/.test(value)) uid = Number(value);
    else if (line.startsWith("n") && uid !== null && isReached(value, port)) uids.push(uid);
  }
  return uids;
}

/**
 * Process ids of those that listen, from `netstat -ano`. The word for the state is in the language of
 * the system; that there is no other end is not.
 */
export function pidsInNetstat(output: string, port: number): number[] {
  return output.split(/\r?\n/).flatMap((line) => {
    const [protocol, local = "", remote = "", ...rest] = line.trim().split(/\s+/);
    const pid = rest.at(-1) ?? "";
    const listens = protocol === "TCP" && /^(0\.0\.0\.0|\[::\]):0$/.test(remote);
    return listens && isReached(local, port) && /^\d+$/.test(pid) ? [Number(pid)] : [];
  });
}

const isReached = (local: string, port: number): boolean => {
  const colon = local.lastIndexOf(":");
  return local.slice(colon + 1) === String(port) && WRITTEN_LOOPBACK.has(local.slice(0, colon));
};

/** A process as `tasklist /V /FO CSV /NH` prints it. */
interface WindowsTask {
  readonly session: string;
  /** `DOMAIN\name`; `null` where it is not shown, as that of other users is not. */
  readonly user: string | null;
}

/** `null` where there is no such process. */
export function taskInTasklist(output: string, pid: number): WindowsTask | null {
  for (const line of output.split(/\r?\n/)) {
    const cells = [...line.matchAll(/"((?:[^"]|"")*)"/g)].map(([, cell = ""]) => cell);
    if (cells[1] !== String(pid)) continue;
    const user = cells[6] ?? "";
    // Where there is none stands a word in the language of the system.
    return { session: cells[3] ?? "", user: user.includes("\\") ? user : null };
  }
  return null;
}
