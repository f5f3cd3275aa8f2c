import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { lstat, open, readdir, rm, utimes } from "node:fs/promises";
import os from "node:os";
import { join } from "node:path";
import { LOCK_FILE_BYTES } from "../lib/index.js";
import { inPool, readSmallFile } from "./file-reads.js";
import { makePrivateDirectory, ownUid, stableHost } from "./own-directory.js";
import { isProcessAlive } from "./processes.js";

/**
 * A mutex among the processes of this user: each process that wants it puts a lock file of its own
 * into one directory. The process that sees no other lock file afterwards holds the mutex; one that
 * sees another removes its own and tries again later. Two processes at the same time cannot both miss
 * the other's file. No name is used twice, so removing the file of a dead process cannot hit a new
 * lock, as it can with one lock file that is taken over.
 */
export interface FileLock {
  /** Never rejects. */
  release(): Promise<void>;
}

/** How often a lock file is touched, in milliseconds. */
const HEARTBEAT_MS = 2000;

/** A lock of an unknown process is stale when it was not touched for so many checks … */
const STALE_CHECKS = 30;
/** … at least so far apart, in milliseconds. Counted rather than timed, since a machine may sleep. */
const CHECK_MS = 1000;

interface Seen {
  readonly touchedAt: number;
  readonly checks: number;
  readonly at: number;
}

/** The lock files of one directory, as one process sees them. */
export class FileLocks {
  readonly #directory: string;
  readonly #host = stableHost(process.platform, os.hostname());
  readonly #uid: number | null;
  #seen = new Map<string, Seen>();

  readonly #checkMs: number;

  /**
   * @param checkMs Shorter in tests only.
   * @param uid The user whose locks count; `null` where there are no user ids.
   */
  constructor(directory: string, checkMs = CHECK_MS, uid = ownUid()) {
    this.#directory = directory;
    this.#uid = uid;
    this.#checkMs = checkMs;
  }

  /**
   * Tries once.
   *
   * @returns the lock, or `null` while another process holds it.
   * @throws the error of the file system when the directory cannot be written, or is another user's.
   */
  async tryLock(): Promise<FileLock | null> {
    await makePrivateDirectory(this.#directory, this.#uid);
    if (await this.#isLocked(null)) return null;
    const name = `${randomUUID()}.lock`;
    const path = join(this.#directory, name);
    const remove = (): void => {
      try {
        rmSync(path, { force: true });
      } catch {
        // Windows keeps a file that a virus scanner has open. It is stale when this process ends.
      }
    };
    process.on("exit", remove);
    const release = async (): Promise<void> => {
      process.off("exit", remove);
      // A file that cannot be removed is stale when this process ends.
      await rm(path, { force: true, recursive: true, maxRetries: 3 }).catch(() => {});
    };
    try {
      await writePrivately(path, JSON.stringify({ pid: process.pid, host: this.#host }));
      if (await this.#isLocked(name)) {
        await release();
        return null;
      }
    } catch (error) {
      await release();
      throw error;
    }
    const heartbeat = setInterval(() => {
      const now = new Date();
      void inPool(() => utimes(path, now, now).catch(() => {}), HEARTBEAT_MS);
    }, HEARTBEAT_MS).unref();
    return {
      release: () => {
        clearInterval(heartbeat);
        return release();
      },
    };
  }

  /** Whether there is a lock other than `own` that is not stale. Removes stale ones. */
  async #isLocked(own: string | null): Promise<boolean> {
    const names = (await readdir(this.#directory)).filter(
      (name) => name.endsWith(".lock") && name !== own,
    );
    const held = await Promise.all(names.map((name) => this.#isHeld(name)));
    this.#seen = new Map([...this.#seen].filter(([name]) => names.includes(name)));
    return held.includes(true);
  }

  async #isHeld(name: string): Promise<boolean> {
    const path = join(this.#directory, name);
    const touchedAt = await this.#touchedAt(path);
    // It was removed just now, or is no lock.
    if (touchedAt === null) return false;
    const content = await readSmallFile(path, { maxBytes: LOCK_FILE_BYTES });
    if ("fault" in content && content.fault === "too_large") return false;
    const owner = "text" in content ? ownerFrom(content.text) : null;
    if (owner?.host === this.#host && !isProcessAlive(owner.pid)) {
      await rm(path, { force: true }).catch(() => {});
      return false;
    }
    // The process id may have been given to another process, and ids of other machines and containers
    // that share this home mean nothing here: then only the heartbeat counts.
    const now = performance.now();
    const before = this.#seen.get(name);
    if (before === undefined || before.touchedAt !== touchedAt) {
      this.#seen.set(name, { touchedAt, checks: 0, at: now });
      return true;
    }
    if (now - before.at < this.#checkMs) return true;
    this.#seen.set(name, { touchedAt, checks: before.checks + 1, at: now });
    if (before.checks + 1 < STALE_CHECKS) return true;
    await rm(path, { force: true }).catch(() => {});
    return false;
  }

  /** `null` where there is no file of this user: a link, a pipe or a file of another user is no lock. */
  async #touchedAt(path: string): Promise<number | null> {
    const facts = await lstat(path).catch(() => null);
    const isLock = facts?.isFile() === true && (this.#uid === null || facts.uid === this.#uid);
    return isLock ? facts.mtimeMs : null;
  }
}

/** A new file that only this user can read or write, whatever the umask. */
async function writePrivately(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    if (process.platform !== "win32") await file.chmod(0o600);
    await file.writeFile(text);
  } finally {
    await file.close();
  }
}

/** `null` for a file that is not written yet, or not by this program: then its heartbeat counts. */
function ownerFrom(text: string): { readonly pid: number; readonly host: string } | null {
  const [, digits, host] = /^\{"pid":(\d+),"host":"(.*)"\}$/.exec(text) ?? [];
  const pid = Number(digits);
  // `kill` takes 0 for a group of processes.
  if (host === undefined || !Number.isSafeInteger(pid) || pid < 1) return null;
  return { pid, host: stableHost(process.platform, host) };
}
