import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { cancelledError, untilAborted } from "../../lib/index.js";
import { type Logger, silentLogger } from "../../log.js";
import {
  type Machine,
  makePrivateDirectory,
  ownDirectory,
  thisMachine,
} from "../../platform/index.js";
import { type FileLock, FileLocks } from "./file-lock.js";

/** How often it is looked whether another process has ended its download, in milliseconds. */
const LOOK_AGAIN_MS = 500;

/** Those of this process who wait, by directory: one after the other in the order they came. */
const lines = new Map<string, Promise<void>>();

/**
 * One download at a time for all of this user's processes of ours: two at once damage each other's
 * files on some versions (microsoft/vscode-ai-toolkit #207), and share one line anyway.
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
   * Does the work when nobody else downloads.
   *
   * @param onWait told once when it has to wait.
   * @throws FoundryError `CANCELLED` when the signal is aborted before its turn.
   */
  async take<T>(signal: AbortSignal, onWait: () => void, work: () => Promise<T>): Promise<T> {
    const before = lines.get(this.#directory);
    let leave = () => {};
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    // Who leaves the line lets the next one have only the place that he had himself.
    const mine = (before ?? Promise.resolve()).then(() => left);
    lines.set(this.#directory, mine);
    try {
      if (before !== undefined) {
        onWait();
        await untilAborted(before, signal);
      }
      const claim = await this.#claim(signal, before === undefined ? onWait : () => {});
      try {
        return await work();
      } finally {
        await claim?.release();
      }
    } finally {
      leave();
      void mine.then(() => {
        if (lines.get(this.#directory) === mine) lines.delete(this.#directory);
      });
    }
  }

  /** `null` where no claim can be made: then only this process keeps order. */
  async #claim(signal: AbortSignal, onWait: () => void): Promise<FileLock | null> {
    const claims = new FileLocks(this.#directory);
    for (let looks = 0; ; looks += 1) {
      if (signal.aborted) throw cancelledError();
      const tryClaim = () => makePrivateDirectory(this.#own).then(() => claims.tryClaim());
      const claim = await tryClaim().catch((error: unknown) => {
        this.#log.warn({ error: String(error) }, "downloads of other processes cannot be seen");
        return "unknown" as const;
      });
      if (claim === "unknown") return null;
      if (claim !== null) return claim;
      if (looks === 0) onWait();
      // Two who got in each other's way must not do so again.
      const pauseMs = LOOK_AGAIN_MS * (0.5 + Math.random());
      await setTimeout(pauseMs, undefined, { signal }).catch(() => {});
    }
  }
}
