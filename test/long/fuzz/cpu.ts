import { existsSync, readFileSync } from "node:fs";

/** Only Linux reports the CPU time of another process's thread. */
export const isMeasured = existsSync("/proc/self/schedstat");

/**
 * CPU time of the main thread of a process, which is that of its event loop. Time on a busy machine
 * does not count, nor do the threads of the garbage collector.
 */
export function loopCpuMs(pid: number): number {
  if (!isMeasured) return 0;
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
}

/** The longest time that the event loop of this process was blocked. */
export class StandWatch {
  longestMs = 0;
  #before = loopCpuMs(process.pid);
  readonly #timer = setInterval(() => {
    const now = loopCpuMs(process.pid);
    this.longestMs = Math.max(this.longestMs, now - this.#before);
    this.#before = now;
  }, 5);

  stop(): void {
    clearInterval(this.#timer);
  }
}
