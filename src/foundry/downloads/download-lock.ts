import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { cancelledError, untilAborted } from "../../lib/index.js";
import { type Logger, silentLogger } from "../../log.js";
import {
  type FileLock,
  FileLocks,
  type Machine,
  makePrivateDirectory,
  ownDirectory,
  thisMachine,
} from "../../platform/index.js";

/** How often to check whether another process has released the lock, in milliseconds. */
const POLL_MS = 500;

/** The end of the queue of this process, by directory: the lock is given in the order of asking. */
const queueEnds = new Map<string, Promise<void>>();

/**
 * Lets one download run at a time among all processes of this user: concurrent downloads damage each
 * other's files on some versions (microsoft/vscode-ai-toolkit #207), and share the bandwidth anyway.
 */
export class DownloadLock {
  readonly #own: string;
  readonly #directory: string;
  readonly #log: Logger;

  constructor(machine: Pick<Machine, "platform" | "home"> = thisMachine(), log = silentLogger) {
    this.#own = ownDirectory(machine);
    this.#directory = join(this.#own, "downloads");
    this.#log = log;
  }

  /**
   * Runs the work while it holds the lock.
   *
   * @param onWait Called once when the lock is held by another download.
   * @throws FoundryError `CANCELLED` when the signal is aborted before the lock is acquired.
   */
  async run<T>(signal: AbortSignal, onWait: () => void, work: () => Promise<T>): Promise<T> {
    const before = queueEnds.get(this.#directory);
    let leave = () => {};
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    // Leaving the queue early does not let the next one overtake those before.
    const end = (before ?? Promise.resolve()).then(() => left);
    queueEnds.set(this.#directory, end);
    try {
      if (before !== undefined) {
        onWait();
        await untilAborted(before, signal);
      }
      const lock = await this.#acquire(signal, before === undefined ? onWait : () => {});
      try {
        return await work();
      } finally {
        await lock?.release();
      }
    } finally {
      leave();
      void end.then(() => {
        if (queueEnds.get(this.#directory) === end) queueEnds.delete(this.#directory);
      });
    }
  }

  /** `null` where no lock file can be written: then only this process serializes its downloads. */
  async #acquire(signal: AbortSignal, onWait: () => void): Promise<FileLock | null> {
    const locks = new FileLocks(this.#directory);
    const tryLock = () => makePrivateDirectory(this.#own).then(() => locks.tryLock());
    for (let attempts = 1; ; attempts += 1) {
      if (signal.aborted) throw cancelledError();
      const lock = await tryLock().catch((error: unknown) => {
        this.#log.warn({ error: String(error) }, "downloads of other processes cannot be seen");
        return "unknown" as const;
      });
      if (lock === "unknown") return null;
      if (lock !== null) return lock;
      if (attempts === 1) onWait();
      // Jitter: two processes that collided must not collide again.
      const pauseMs = POLL_MS * (0.5 + Math.random());
      await setTimeout(pauseMs, undefined, { signal }).catch(() => {});
    }
  }
}
