import { createHash } from "node:crypto";
import path from "node:path";
import { stableHost } from "./file-lock.js";
import type { Machine } from "./machine.js";
import { ownDirectory } from "./own-directory.js";

/** Where the keeper of this user listens. */
export interface KeeperAddress {
  /** What only this user can look into: the secret, the lock and, except on Windows, the socket. */
  readonly directory: string;
  /** A Unix domain socket, or a named pipe on Windows. */
  readonly socket: string;
}

/** macOS has the shortest limit for the path of a socket: 104 bytes with a zero at the end. */
const LONGEST_SOCKET_PATH = 103;

/**
 * The address is the same for all processes of a user on a machine. No variable decides it, except the
 * home: hosts pass on different environments. The name of the machine is part of it, since machines may
 * share a home.
 *
 * @param uid The user, `null` on Windows.
 */
export function keeperAddress(
  { platform, home }: Pick<Machine, "platform" | "home">,
  uid: number | null,
  hostname: string,
): KeeperAddress {
  const { join } = platform === "win32" ? path.win32 : path.posix;
  const machine = shortHash(stableHost(platform, hostname).toLowerCase());
  const directory = join(ownDirectory({ platform, home }), `keeper-${machine}`);
  if (platform === "win32") {
    const user = shortHash(`${home.toLowerCase()} ${machine}`);
    return { directory, socket: `\\\\.\\pipe\\foundry-local-mcp-${user}` };
  }
  const socket = join(directory, "socket");
  if (Buffer.byteLength(socket) <= LONGEST_SOCKET_PATH) return { directory, socket };
  const short = `/tmp/foundry-local-mcp-${uid ?? "user"}-${shortHash(`${home} ${machine}`)}`;
  return { directory: short, socket: `${short}/socket` };
}

/** Where the servers of this user on this machine write what `monitor` reads. */
export function serversDirectory(
  machine: Pick<Machine, "platform" | "home">,
  hostname: string,
): string {
  const { join } = machine.platform === "win32" ? path.win32 : path.posix;
  return join(
    ownDirectory(machine),
    `servers-${shortHash(stableHost(machine.platform, hostname).toLowerCase())}`,
  );
}

const shortHash = (text: string): string =>
  createHash("sha256").update(text).digest("hex").slice(0, 12);
