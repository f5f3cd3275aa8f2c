import { hash } from "node:crypto";
import { chmod, lstat, mkdir, open, rename, rm, stat, writeFile } from "node:fs/promises";
import { systemCodeOf } from "../lib/index.js";
import type { Machine } from "./machine.js";
import { pathsOf } from "./paths.js";

/**
 * The folder of the files that our processes share. It lies under the home on every platform and no
 * variable moves it: hosts pass on different environments, and two folders would share nothing. The
 * system's temporary folder is not used, since all users of a Linux machine can write there.
 */
export function ownDirectory({ platform, home }: Pick<Machine, "platform" | "home">): string {
  const { join } = pathsOf(platform);
  return join(home, ".foundry-local-mcp");
}

/** The id of the user that this process runs as; `null` on Windows, which has none. */
export const ownUid = (): number | null => process.getuid?.() ?? null;

/**
 * Makes a directory that only this user can look into and write to, or makes it so, whatever the umask.
 *
 * @throws when it cannot be made, or belongs to another user.
 */
export async function makePrivateDirectory(directory: string, uid = ownUid()): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  // On Windows a profile's folders are the user's alone already.
  if (uid === null) return;
  const facts = await stat(directory);
  // Another user can put a link in its place where all users write.
  const owners = [facts.uid, (await lstat(directory)).uid];
  if (owners.some((owner) => owner !== uid))
    throw new Error("a directory of ours belongs to another user");
  if ((facts.mode & 0o777) !== 0o700) await chmod(directory, 0o700);
}

/**
 * Writes a file that only this user can read or write, whole or not at all: a reader finds the old file or
 * the new one.
 *
 * @param temporary In the same folder, of a name that no other write uses.
 * @param modified Its modification time. Default: now.
 */
export async function replaceFile(
  file: string,
  temporary: string,
  text: string,
  modified?: Date,
): Promise<void> {
  // Outside of `try`: a file that was there already belongs to another write.
  const handle = await open(temporary, "wx", 0o600);
  try {
    try {
      await handle.writeFile(text);
      if (modified !== undefined) await handle.utimes(modified, modified);
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}

/** Makes a file that only this user can read or write; `false` where there is one already. */
export async function makePrivateFile(file: string, content: string | Buffer): Promise<boolean> {
  try {
    await writeFile(file, content, { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if (systemCodeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** A Mac takes the domain of its name from each network that it joins, so it is left out there. */
export const stableHost = (platform: NodeJS.Platform, hostname: string): string =>
  platform === "darwin" ? (hostname.split(".")[0] ?? hostname).toLowerCase() : hostname;

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
  const { join } = pathsOf(platform);
  const machine = machineHash(platform, hostname);
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
  const { join } = pathsOf(machine.platform);
  return join(ownDirectory(machine), `servers-${machineHash(machine.platform, hostname)}`);
}

const machineHash = (platform: NodeJS.Platform, hostname: string): string =>
  shortHash(stableHost(platform, hostname).toLowerCase());

const shortHash = (text: string): string => hash("sha256", text, "hex").slice(0, 12);
