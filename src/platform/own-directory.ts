import { chmod, lstat, mkdir, stat } from "node:fs/promises";
import path from "node:path";
import type { Machine } from "./machine.js";

/**
 * The folder of the files that our processes share. It lies under the home on every platform and no
 * variable moves it: hosts pass on different environments, and two folders would share nothing. The
 * system's temporary folder is not used, since all users of a Linux machine can write there.
 */
export function ownDirectory({ platform, home }: Pick<Machine, "platform" | "home">): string {
  const { join } = platform === "win32" ? path.win32 : path.posix;
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
