import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { lstat, open, readdir, rm, utimes } from "node:fs/promises";
import os from "node:os";
import { join } from "node:path";
import { CLAIM_FILE_BYTES, FILE_READ_MS } from "../../lib/index.js";
import {
  inPool,
  isProcessAlive,
  makePrivateDirectory,
  ownUid,
  readSmallFile,
} from "../../platform/index.js";

/**
 * A claim to something that only one process of this user may do at a time: a file of its own in a
 * directory that all of them look at. Whoever puts a claim there and then sees no other has it; who
 * sees another takes his own away and tries again later. Two who do so at the same time cannot both
 * miss the other's, and as no name is used twice, removing what a dead process left behind cannot hit
 * a new claim, as it can with one lock file that is taken over.
 */
export interface FileLock {
  /** Lets others have it. Never rejects. */
  release(): Promise<void>;
}

/** How often the file of a claim is touched, in milliseconds. */
const SIGN_OF_LIFE_MS = 2000;

/** A claim of a process of which nothing is known is dead when it was not touched for so many looks … */
const SILENT_LOOKS = 30;
/** … at least so far apart, in milliseconds. Counted rather than timed, since a machine may sleep. */
const LOOK_MS = 1000;

interface Seen {
  readonly touched: number;
  readonly looks: number;
  readonly at: number;
}

/** Those who claim one thing, as one of them sees it. */
export class FileLocks {
  readonly #directory: string;
  readonly #host = stableHost(process.platform, os.hostname());
  readonly #uid: number | null;
  #seen = new Map<string, Seen>();

  readonly #lookMs: number;

  /**
   * @param lookMs Shorter in tests alone.
   * @param uid The user whose claims count; `null` where there are no user ids.
   */
  constructor(directory: string, lookMs = LOOK_MS, uid = ownUid()) {
    this.#directory = directory;
    this.#uid = uid;
    this.#lookMs = lookMs;
  }

  /**
   * Tries once.
   *
   * @returns the claim, or `null` while another process has it.
   * @throws what the file system says when the directory cannot be written, or is another user's.
   */
  async tryClaim(): Promise<FileLock | null> {
    await makePrivateDirectory(this.#directory, this.#uid);
    if (await this.#isClaimed(null)) return null;
    const name = `${randomUUID()}.claim`;
    const path = join(this.#directory, name);
    const remove = (): void => {
      try {
        rmSync(path, { force: true });
      } catch {
        // Windows keeps a file that a virus scanner has open. It is dead when this process is.
      }
    };
    process.on("exit", remove);
    const release = async (): Promise<void> => {
      process.off("exit", remove);
      // What cannot be removed is dead when this process is.
      await rm(path, { force: true, recursive: true, maxRetries: 3 }).catch(() => {});
    };
    try {
      await writePrivately(path, JSON.stringify({ pid: process.pid, host: this.#host }));
      if (await this.#isClaimed(name)) {
        await release();
        return null;
      }
    } catch (error) {
      await release();
      throw error;
    }
    const signs = setInterval(() => {
      const now = new Date();
      void inPool(() => utimes(path, now, now).catch(() => {}), SIGN_OF_LIFE_MS);
    }, SIGN_OF_LIFE_MS).unref();
    return {
      release: () => {
        clearInterval(signs);
        return release();
      },
    };
  }

  /** Whether another claim than `own` lives. Removes those that are dead. */
  async #isClaimed(own: string | null): Promise<boolean> {
    const names = (await readdir(this.#directory)).filter(
      (name) => name.endsWith(".claim") && name !== own,
    );
    const lives = await Promise.all(names.map((name) => this.#isAlive(name)));
    this.#seen = new Map([...this.#seen].filter(([name]) => names.includes(name)));
    return lives.includes(true);
  }

  async #isAlive(name: string): Promise<boolean> {
    const path = join(this.#directory, name);
    const touched = await this.#touched(path);
    // It was taken away just now, or it is no claim.
    if (touched === null) return false;
    const content = await readSmallFile(path, {
      maxBytes: CLAIM_FILE_BYTES,
      timeoutMs: FILE_READ_MS,
    });
    if ("fault" in content && content.fault === "too_large") return false;
    const owner = "text" in content ? ownerFrom(content.text, process.platform) : null;
    if (owner?.host === this.#host && !isProcessAlive(owner.pid)) {
      await rm(path, { force: true }).catch(() => {});
      return false;
    }
    // A process id may be somebody else's by now, and those of other machines and containers that
    // share this home mean nothing here: then only its signs of life tell.
    const now = performance.now();
    const before = this.#seen.get(name);
    if (before === undefined || before.touched !== touched) {
      this.#seen.set(name, { touched, looks: 0, at: now });
      return true;
    }
    if (now - before.at < this.#lookMs) return true;
    this.#seen.set(name, { touched, looks: before.looks + 1, at: now });
    if (before.looks + 1 < SILENT_LOOKS) return true;
    await rm(path, { force: true }).catch(() => {});
    return false;
  }

  /** `null` where there is no file of this user: a link, a pipe or a file of another user is no claim. */
  async #touched(path: string): Promise<number | null> {
    const facts = await lstat(path).catch(() => null);
    const isClaim = facts?.isFile() === true && (this.#uid === null || facts.uid === this.#uid);
    return isClaim ? facts.mtimeMs : null;
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

/** A Mac takes the domain of its name from each network that it joins, so it is left out there. */
export const stableHost = (platform: NodeJS.Platform, hostname: string): string =>
  platform === "darwin" ? (hostname.split(".")[0] ?? hostname).toLowerCase() : hostname;

/** Not yet written, or not ours: then its signs of life tell. */
function ownerFrom(
  text: string,
  platform: NodeJS.Platform,
): { readonly pid: number; readonly host: string } | null {
  const [, digits, host] = /^\{"pid":(\d+),"host":"(.*)"\}$/.exec(text) ?? [];
  const pid = Number(digits);
  // `kill` means groups of processes by 0.
  if (host === undefined || !Number.isSafeInteger(pid) || pid < 1) return null;
  return { pid, host: stableHost(platform, host) };
}
