/**
 * What systems print about the sockets that listen, and whose they are. Each function takes the text of
 * one system, and finds the listeners that a connection to 127.0.0.1 may reach.
 */

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
export interface WindowsTask {
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
