import { join } from "node:path";
import { cancelledError, pause } from "../../lib/index.js";
import { type Logger, silentLogger } from "../../log.js";
import {
  type FileLock,
  FileLocks,
  type Machine,
  makePrivateDirectory,
  ownDirectory,
} from "../../platform/index.js";
import { Serial } from "../serial.js";

/** How often to check whether another process has released the lock, in milliseconds. */
const POLL_MS = 500;

/** The downloads of this process, by directory. */
const ofThisProcess = new Map<string, Serial>();

/**
 * Lets one download run at a time among all processes of this user: concurrent downloads damage each
 * other's files on some versions (microsoft/vscode-ai-toolkit #207), and share the bandwidth anyway.
 */
export class DownloadLock {
  readonly #own: string;
  readonly #directory: string;
  readonly #log: Logger;

  constructor(machine: Pick<Machine, "platform" | "home">, log = silentLogger) {
    this.#own = ownDirectory(machine);
    this.#directory = join(this.#own, "downloads");
    this.#log = log;
  }

  /**
   * Runs the work while it holds the lock.
   *
   * @param onWait Called while the lock is held by another download, as often as that is seen.
   * @throws FoundryError `CANCELLED` when the signal is aborted before the lock is acquired.
   */
  async run<T>(signal: AbortSignal, onWait: () => void, work: () => Promise<T>): Promise<T> {
    const serial = ofThisProcess.get(this.#directory) ?? new Serial();
    ofThisProcess.set(this.#directory, serial);
    return serial.run("a download", signal, onWait, async () => {
      const lock = await this.#acquire(signal, onWait);
      try {
        return await work();
      } finally {
        await lock?.release();
      }
    });
  }

  /** `null` where no lock file can be written: then only this process serializes its downloads. */
  async #acquire(signal: AbortSignal, onWait: () => void): Promise<FileLock | null> {
    const locks = new FileLocks(this.#directory);
    const tryLock = () => makePrivateDirectory(this.#own).then(() => locks.tryLock());
    for (;;) {
      if (signal.aborted) throw cancelledError();
      const lock = await tryLock().catch((error: unknown) => {
        this.#log.warn({ error: String(error) }, "downloads of other processes cannot be seen");
        return "unknown" as const;
      });
      if (lock === "unknown") return null;
      if (lock !== null) return lock;
      onWait();
      // Jitter: two processes that collided must not collide again.
      await pause(POLL_MS * (0.5 + Math.random()), signal);
    }
  }
}
